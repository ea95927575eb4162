package chat

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/internal/edgetest"
)

// revision is a frame that changes the message with this id.
func revision(typ string, id any, more string) string {
	return fmt.Sprintf(`{"type":%q,"id":%q%s}`, typ, id, more)
}

// TestRevise: who has said something changes it, on the same connection or with the key of before; everyone hears of it,
// and who comes later reads what there is now.
func TestRevise(t *testing.T) {
	r := newRig(t)
	ann := r.room("den", "username=ann", jsonHeader)
	expect(t, ann, "subscribed")
	expect(t, ann, "joined")
	ann.Text(`{"type":"message","content":"hi"}`)
	said := expect(t, ann, "message")
	ann.Text(`{"type":"message","content":"secret","author_key":"s3cret"}`)
	kept := expect(t, ann, "message", "author_key", nil)
	bob := r.room("den", "username=bob", jsonHeader)
	expect(t, bob, "subscribed")
	expect(t, bob, "joined")
	expect(t, ann, "joined")

	for _, frame := range []string{
		revision("edit", said["id"], `,"content":"x","idempotency_key":"k"`),
		revision("delete", said["id"], `,"idempotency_key":"k","author_key":"another"`),
		revision("delete", kept["id"], `,"idempotency_key":"k","author_key":"s3cret "`),
	} {
		bob.Text(frame)
		expect(t, bob, "error", "code", "forbidden", "idempotency_key", "k")
	}
	both := []*edgetest.Client{ann, bob}
	ann.Text(revision("edit", said["id"], `,"content":"ho","idempotency_key":"e"`))
	var edited map[string]any
	for _, c := range both {
		edited = expect(t, c, "edited", "username", "ann", "target", said["id"], "content", "ho", "offset", 3.0)
	}
	expect(t, ann, "ack", "idempotency_key", "e", "id", edited["id"], "offset", 3.0, "durable", true)
	ann.Text(revision("edit", said["id"], `,"content":"again","idempotency_key":"e"`)) // as it is sent again
	expect(t, ann, "ack", "idempotency_key", "e", "id", edited["id"], "offset", 3.0)

	// Ann's first message with a key is hers still, though she has shown it once only; and Bob's, once he knows it.
	ann.Text(revision("edit", kept["id"], `,"content":"mine"`))
	for _, c := range both {
		expect(t, c, "edited", "target", kept["id"], "content", "mine", "username", "ann")
	}
	bob.Text(revision("delete", kept["id"], `,"author_key":"s3cret"`))
	for _, c := range both {
		expect(t, c, "deleted", "target", kept["id"], "username", "bob", "content", nil, "offset", 5.0)
	}
	for _, id := range []any{kept["id"], edited["id"], "e0-1", strings.Split(said["id"].(string), "-")[0] + "-99"} {
		ann.Text(revision("delete", id, `,"idempotency_key":"k"`))
		expect(t, ann, "error", "code", "not_found", "idempotency_key", "k")
	}
	if got := r.log.String(); strings.Contains(got, "publish failed") || strings.Contains(got, "s3cret") {
		t.Errorf("the log says %s", got)
	}

	// Who comes now, in either format, and the history.
	late := r.room("den", "since=all", jsonHeader)
	expect(t, late, "subscribed")
	expect(t, late, "message", "id", said["id"], "content", "ho", "edited", true)
	expect(t, late, "message", "id", kept["id"], "content", nil, "deleted", true, "edited", nil)
	expect(t, late, "edited", "target", said["id"], "content", "ho")
	expect(t, late, "edited", "target", kept["id"], "content", nil, "deleted", true)
	expect(t, late, "deleted", "target", kept["id"])
	packed := r.room("den", "since=all", msgpackHeader)
	packed.Expect(edgetest.OpBinary)
	if got := string(packed.Expect(edgetest.OpBinary)); !strings.Contains(got, "\xa7content\xa2ho") || !strings.HasSuffix(got, "\xa6edited\xc3") {
		t.Errorf("edited, in MessagePack: %q", got)
	}
	if got := string(packed.Expect(edgetest.OpBinary)); strings.Contains(got, "content") || !strings.HasSuffix(got, "\xa7deleted\xc3") {
		t.Errorf("deleted, in MessagePack: %q", got)
	}
	_, _, page := r.do("GET", "/chat/room/den/messages", "")
	for _, gone := range []string{`"hi"`, "secret", "mine", "s3cret"} {
		if strings.Contains(page, gone) {
			t.Errorf("%s is in the history: %s", gone, page)
		}
	}
}

// TestReviseLater: a plain client on another connection shows the key, after a restart too.
func TestReviseLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edgechat.db")
	where := func(s *setup) { s.store.Path = path }
	var id any
	t.Run("before", func(t *testing.T) {
		r := newRig(t, where)
		c := r.room("den", "username=ann", jsonHeader)
		c.Text(`{"type":"message","content":"hi","author_key":"s3cret","idempotency_key":"k"}`)
		id = c.JSONOf("ack")["id"]
	})
	t.Run("after", func(t *testing.T) {
		r := newRig(t, where)
		c := r.room("den", "username=ann")
		expect(t, c, "joined")
		c.Text(revision("edit", id, `,"content":"ho"`))
		expect(t, c, "error", "code", "forbidden")
		c.Text(revision("edit", id, `,"content":"ho","author_key":"s3cret","idempotency_key":"e"`))
		expect(t, c, "edited", "target", id, "content", "ho") // and no ack
		c.Text(revision("delete", id, ""))                    // it has shown the key
		expect(t, c, "deleted", "target", id)
	})
}

// tokens returns a setup with these tokens, and them as headers.
func tokens(t *testing.T, access map[string]auth.Access) (func(*setup), map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	headers := map[string]string{}
	for name, a := range access {
		token, err := auth.Create(path, name, a, []string{"den"})
		if err != nil {
			t.Fatal(err)
		}
		headers[name] = "Authorization: Bearer " + token
	}
	loaded, err := auth.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	checker, err := auth.New(auth.Config{Tokens: loaded, Anonymous: auth.Write})
	if err != nil {
		t.Fatal(err)
	}
	return func(s *setup) { s.chat.Auth = checker }, headers
}

// TestReviseTokens: a token is the author wherever it connects, whoever calls himself like it is not, and a moderator
// deletes, and edits nothing.
func TestReviseTokens(t *testing.T) {
	config, header := tokens(t, map[string]auth.Access{"Ann": auth.Write, "Bob": auth.Write, "Mod": auth.Moderate, "Eve": auth.Read})
	r := newRig(t, config)
	one := r.room("den", "announce=0", jsonHeader, header["Ann"])
	expect(t, one, "subscribed")
	var ids []any
	for i := range 3 {
		one.Text(fmt.Sprintf(`{"type":"message","content":"%d","author_key":"k"}`, i))
		ids = append(ids, expect(t, one, "message", "username", "Ann")["id"])
	}
	other := func(name, query string) *edgetest.Client {
		headers := []string{jsonHeader}
		if h := header[name]; h != "" {
			headers = append(headers, h)
		}
		c := r.room("den", query+"&announce=0", headers...)
		expect(t, c, "subscribed")
		return c
	}
	for name, query := range map[string]string{"Bob": "", "nobody": "username=Ann", "Eve": ""} {
		c := other(name, query)
		for _, frame := range []string{revision("edit", ids[0], `,"content":"x","author_key":"k"`), revision("delete", ids[0], `,"author_key":"k"`)} {
			c.Text(frame)
			expect(t, c, "error", "code", "forbidden")
		}
	}
	two := other("Ann", "")
	two.Text(revision("edit", ids[0], `,"content":"mine"`))
	expect(t, two, "edited", "target", ids[0], "content", "mine")
	mod := other("Mod", "")
	mod.Text(revision("edit", ids[1], `,"content":"x"`))
	expect(t, mod, "error", "code", "forbidden")
	mod.Text(revision("delete", ids[1], ""))
	expect(t, mod, "deleted", "target", ids[1], "username", "Mod")
	mod.Text(`{"type":"message","content":"be nice"}`)
	expect(t, mod, "message", "username", "Mod")

	path := func(id any) string { return "/chat/room/den/messages/" + id.(string) }
	for _, by := range []struct {
		name string
		want int
	}{{"Bob", 403}, {"Eve", 403}, {"Mod", 200}, {"Ann", 404}} {
		if status, _, body := r.do("DELETE", path(ids[2]), "", header[by.name]); status != by.want {
			t.Errorf("DELETE by %s: %d %s", by.name, status, body)
		}
	}
	if status, _, body := r.do("PATCH", path(ids[0]), "by post", header["Ann"]); status != 200 || !strings.Contains(body, `"content":"by post"`) {
		t.Errorf("PATCH by Ann: %d %s", status, body)
	}
	if status, _, body := r.do("PATCH", path(ids[0]), "by post"); status != 403 || !strings.Contains(body, "author_key") {
		t.Errorf("PATCH by nobody: %d %s", status, body)
	}
}

// TestReviseMany: with the name of the room on a connection of several.
func TestReviseMany(t *testing.T) {
	r := newRig(t)
	c := r.many("username=ann")
	for _, room := range []string{"den", "attic"} {
		c.Text(fmt.Sprintf(`{"type":"join","room":%q,"announce":false}`, room))
		expect(t, c, "subscribed")
	}
	c.Text(`{"type":"message","room":"den","content":"hi"}`)
	said := expect(t, c, "message", "room", "den")
	c.Text(revision("edit", said["id"], `,"content":"x","idempotency_key":"k"`))
	expect(t, c, "error", "code", "invalid_message", "room", nil, "idempotency_key", "k")
	c.Text(revision("edit", said["id"], `,"content":"x","room":"attic","idempotency_key":"k"`))
	expect(t, c, "error", "code", "not_found", "room", "attic", "idempotency_key", "k")
	c.Text(revision("edit", said["id"], `,"content":"x","room":"cellar"`))
	expect(t, c, "error", "code", "not_joined", "room", "cellar")
	c.Text(revision("edit", said["id"], `,"content":"ho","room":"den","idempotency_key":"e"`))
	edited := expect(t, c, "edited", "room", "den", "target", said["id"], "content", "ho", "username", "ann")
	expect(t, c, "ack", "room", "den", "idempotency_key", "e", "id", edited["id"])
	c.Text(revision("delete", said["id"], `,"room":"den","idempotency_key":"d"`))
	deleted := expect(t, c, "deleted", "room", "den", "target", said["id"])
	expect(t, c, "ack", "room", "den", "idempotency_key", "d", "id", deleted["id"])
	if rooms := r.store.Stats().Rooms; rooms != 1 {
		t.Errorf("%d rooms: one was made by what changes nothing", rooms)
	}
}

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
