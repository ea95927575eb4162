package chat

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/internal/edgetest"
)

// TestPatchAndDelete: the same over HTTP, where the author key is a header.
func TestPatchAndDelete(t *testing.T) {
	r := newRig(t)
	c := r.room("den", "announce=0", jsonHeader)
	expect(t, c, "subscribed")
	_, _, body := r.do("POST", "/chat/room/den/messages?username=nas", "hi", "Author-Key: s3cret")
	_, _, bare := r.do("POST", "/chat/room/den/messages?username=nas", "nobody's")
	var said, nobodys struct{ ID string }
	if json.Unmarshal([]byte(body), &said) != nil || json.Unmarshal([]byte(bare), &nobodys) != nil || strings.Contains(body, "s3cret") {
		t.Fatalf("%s %s", body, bare)
	}
	expect(t, c, "message", "author_key", nil)
	expect(t, c, "message")
	path := "/chat/room/den/messages/" + said.ID
	for _, test := range []struct {
		method, path, body, header string
		status                     int
		code                       string
	}{
		{"PATCH", path, "x", "", 403, "forbidden"},
		{"PATCH", path, "x", "Author-Key: other", 403, "forbidden"},
		{"DELETE", path, "", "Author-Key: other", 403, "forbidden"},
		{"DELETE", "/chat/room/den/messages/" + nobodys.ID, "", "Author-Key: s3cret", 403, "forbidden"},
		{"DELETE", "/chat/room/den/messages/" + nobodys.ID, "", "", 403, "forbidden"},
		{"PATCH", path, "", "Author-Key: s3cret", 400, "invalid_message"},
		{"PATCH", path, "x", "Author-Key: " + strings.Repeat("x", 65), 400, "invalid_message"},
		{"DELETE", path + "0", "", "Author-Key: s3cret", 404, "not_found"},
		{"DELETE", "/chat/room/attic/messages/" + said.ID, "", "Author-Key: s3cret", 404, "not_found"},
		{"DELETE", "/chat/room/den/messages/nonsense", "", "", 400, "invalid_query"},
		{"DELETE", "/chat/room/den/messages/" + said.ID + "/x", "", "", 404, "not_found"},
		{"POST", path, "x", "", 405, "method_not_allowed"},
		{"GET", path, "", "", 405, "method_not_allowed"},
	} {
		headers := []string{}
		if test.header != "" {
			headers = append(headers, test.header)
		}
		status, _, body := r.do(test.method, test.path, test.body, headers...)
		if status != test.status || !strings.Contains(body, `"`+test.code+`"`) {
			t.Errorf("%s %s %q: %d %s, want %d %s", test.method, test.path, test.header, status, body, test.status, test.code)
		}
	}
	same := func(what string, wantStatus int, method, body string, headers ...string) string {
		t.Helper()
		status, _, answer := r.do(method, path+"?username=nas", body, append(headers, "Author-Key: s3cret")...)
		if status != wantStatus {
			t.Errorf("%s: %d %s", what, status, answer)
		}
		return strings.TrimSpace(answer)
	}
	edited := same("PATCH", 200, "PATCH", `{"content":"ho"}`, "Content-Type: application/json", "Idempotency-Key: e")
	c.ExpectText(edited)
	if again := same("PATCH again", 200, "PATCH", "other", "Idempotency-Key: e"); again != edited {
		t.Errorf("the same key: %s, first %s", again, edited)
	}
	if packed := same("as MessagePack", 200, "PATCH", "hey", "Accept: application/msgpack"); !strings.Contains(packed, "\xa6target") {
		t.Errorf("%q", packed)
	}
	expect(t, c, "edited", "content", "hey", "username", "nas")
	deleted := same("DELETE", 200, "DELETE", "", "Idempotency-Key: d")
	c.ExpectText(deleted)
	if again := same("DELETE again", 200, "DELETE", "", "Idempotency-Key: d"); again != deleted {
		t.Errorf("the same key: %s, first %s", again, deleted)
	}
	same("DELETE of what is deleted", 404, "DELETE", "")
}

// A reader is a client that comes and goes, and knows what the messages say by what it was told.
type revisionReader struct {
	since  string
	offset float64
	shown  map[string]string
}

// take applies a frame. The offsets tell that nothing is missing and nothing comes twice.
func (v *revisionReader) take(t *testing.T, m map[string]any) {
	t.Helper()
	if m["offset"] != v.offset+1 {
		t.Fatalf("after offset %v comes %v", v.offset, m)
	}
	v.offset, v.since = m["offset"].(float64), m["id"].(string)
	of := m["id"]
	if m["target"] != nil {
		of = m["target"]
	}
	if m["deleted"] == true || m["type"] == "deleted" {
		v.shown[of.(string)] = "(deleted)"
	} else {
		v.shown[of.(string)] = m["content"].(string)
	}
}

// TestResumeRevisions: readers who are cut off at random come back with their cursors, while messages are said, edited
// and deleted, and come into the history of the store. Each learns of all of it once, in order, and in the
// end shows what there is.
func TestResumeRevisions(t *testing.T) {
	r := newRig(t, func(s *setup) { s.store.LogBytes, s.store.AckDelay = 128<<10, time.Millisecond })
	rnd := rand.New(rand.NewPCG(7, 7))
	writer := r.room("den", "username=ann&announce=0", jsonHeader)
	first := expect(t, writer, "subscribed")
	readers := make([]*revisionReader, 3)
	conns := make([]*edgetest.Client, len(readers))
	for i := range readers {
		readers[i] = &revisionReader{since: first["id"].(string), shown: map[string]string{}}
	}
	come := func(i int) {
		conns[i] = r.room("den", "announce=0&since="+readers[i].since, jsonHeader)
		expect(t, conns[i], "subscribed", "was_recovering", true, "recovered", true)
	}
	var ids []string
	gone := map[string]bool{}
	steps := 0.0
	for range 150 {
		target := ""
		if len(ids) > 0 {
			target = ids[rnd.IntN(len(ids))]
		}
		padding := strings.Repeat("x", rnd.IntN(2000)) // so that the log is full now and then
		switch n := rnd.IntN(10); {
		case n < 5 || target == "" || gone[target]:
			writer.Text(fmt.Sprintf(`{"type":"message","content":"%v %s"}`, steps, padding))
			ids = append(ids, expect(t, writer, "message")["id"].(string))
		case n < 8:
			writer.Text(revision("edit", target, fmt.Sprintf(`,"content":"%v %s"`, steps, padding)))
			expect(t, writer, "edited", "target", target)
		default:
			writer.Text(revision("delete", target, ""))
			expect(t, writer, "deleted", "target", target)
			gone[target] = true
		}
		steps++
		for i, v := range readers {
			if conns[i] == nil {
				if rnd.IntN(5) == 0 {
					come(i)
				}
				continue
			}
			for range rnd.IntN(3) {
				if v.offset < steps {
					v.take(t, conns[i].JSON())
				}
			}
			if rnd.IntN(8) == 0 {
				conns[i].Close()
				conns[i] = nil
			}
		}
	}
	page, err := r.store.Read("den", codec.Query{})
	if err != nil || !page.Recovered {
		t.Fatal(err, page.Recovered)
	}
	want := map[string]string{}
	for _, m := range page.Messages {
		if m.Kind == codec.Said {
			want[m.ID.String()] = m.Content
			if m.Deleted {
				want[m.ID.String()] = "(deleted)"
			}
		}
	}
	if len(want) != len(ids) {
		t.Fatalf("%d messages, %d in the store", len(ids), len(want))
	}
	for i, v := range readers {
		if conns[i] == nil {
			come(i)
		}
		for v.offset < steps {
			v.take(t, conns[i].JSON())
		}
		for id, content := range want {
			if v.shown[id] != content {
				t.Errorf("reader %d shows %.40q for %s, which is %.40q", i, v.shown[id], id, content)
			}
		}
	}
}
