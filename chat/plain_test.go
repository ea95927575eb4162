package chat

import (
	"encoding/json"
	"fmt"
	"mime/multipart"
	"strings"
	"testing"

	"github.com/tinylib/msgp/msgp"

	"edgechat/internal/edgetest"
)

const (
	formType    = "Content-Type: application/x-www-form-urlencoded"
	msgpackType = "Content-Type: application/msgpack"
)

// packed is a map of MessagePack.
func packed(pairs ...string) string {
	b := msgp.AppendMapHeader(nil, uint32(len(pairs)/2))
	for _, s := range pairs {
		b = msgp.AppendString(b, s)
	}
	return string(b)
}

// TestPublishAddresses: what people see in the address bar publishes, too, and by PUT as by POST.
func TestPublishAddresses(t *testing.T) {
	r := newRig(t)
	for i, path := range []string{"/room/den", "/chat/room/den/messages"} {
		for _, method := range []string{"POST", "PUT"} {
			content := fmt.Sprintf("%s %d", method, i)
			status, _, body := r.do(method, path+"?username=nas", content)
			var m map[string]any
			if err := json.Unmarshal([]byte(body), &m); err != nil || status != 201 || m["username"] != "nas" || m["content"] != content {
				t.Errorf("%s %s: %d %s", method, path, status, body)
			}
		}
	}
	if status, _, body := r.do("POST", "/room/a%2Fb", "x"); status != 400 || !strings.Contains(body, "invalid_room") {
		t.Errorf("a name with a slash: %d %s", status, body)
	}
}

// TestPublishBodies: a form and MessagePack are read as such, and what only looks like a form is text.
func TestPublishBodies(t *testing.T) {
	r := newRig(t)
	multi := func(fields ...string) (body, header string) {
		var b strings.Builder
		w := multipart.NewWriter(&b)
		for i := 0; i < len(fields); i += 2 {
			if err := w.WriteField(fields[i], fields[i+1]); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String(), "Content-Type: " + w.FormDataContentType()
	}
	parts, partsType := multi("content", "hi & all", "username", "nas", "more", "x")
	twice, twiceType := multi("content", "a", "content", "b")
	none, noneType := multi("username", "nas")
	for _, test := range []struct {
		body, header string
		status       int
		name, want   string // of the message, or of the answer
	}{
		{"username=nas&content=hi", formType, 201, "nas", "hi"},
		{"content=a+b%26c%C3%A4", formType, 201, "Anonymous", "a b&cä"},
		{"content=", formType, 201, "Anonymous", ""},
		{"content", formType, 201, "Anonymous", "content"},
		{"backup done", formType, 201, "Anonymous", "backup done"},
		{"50% done", formType, 201, "Anonymous", "50% done"},
		{"a=b;c&username=nas", formType, 201, "Anonymous", "a=b;c&username=nas"},
		{"username=nas&content=hi", "", 201, "Anonymous", "username=nas&content=hi"},
		{"username=nas&content=hi", "Content-Type: text/plain", 201, "Anonymous", "username=nas&content=hi"},
		{"content=50%&username=nas", formType, 400, "", "percent"},
		{"content=a&content=b", formType, 400, "", "more than once"},
		{"content=a&username=b&username=c", formType, 400, "", "more than once"},
		{"content=%ff", formType, 400, "", "UTF-8"},
		{"content=x&username=%00", formType, 400, "", "invalid_username"},
		{parts, partsType, 201, "nas", "hi & all"},
		{twice, twiceType, 400, "", "more than once"},
		{none, noneType, 400, "", "content is missing"},
		{parts[:40], partsType, 400, "", "multipart"},
		{parts, "Content-Type: multipart/form-data", 400, "", "boundary"},
		{packed("content", "hi", "username", "esp"), msgpackType, 201, "esp", "hi"},
		{packed("content", "hi"), "Content-Type: application/x-msgpack", 201, "Anonymous", "hi"},
		{packed("content", "hi"), "Content-Type: application/vnd.msgpack", 201, "Anonymous", "hi"},
		{packed("username", "esp"), msgpackType, 400, "", "content is missing"},
		{packed("content", "hi")[:5], msgpackType, 400, "", "MessagePack"},
		{"hi", "Content-Type: image/png", 415, "", "application/msgpack"},
	} {
		var headers []string
		if test.header != "" {
			headers = append(headers, test.header)
		}
		status, _, body := r.do("POST", "/room/den", test.body, headers...)
		var m map[string]any
		if err := json.Unmarshal([]byte(body), &m); err != nil || status != test.status ||
			status == 201 && (m["username"] != test.name || m["content"] != test.want) || !strings.Contains(body, test.want) && status != 201 {
			t.Errorf("%q as %q: %d %s", test.body, test.header, status, body)
		}
	}
}

// TestNamelessKeys: two senders who cannot be told apart do not get each other's message.
func TestNamelessKeys(t *testing.T) {
	r := newRig(t)
	const path, key = "/chat/room/den/messages", "Idempotency-Key: 1"
	for _, method := range []string{"POST", "PUT"} {
		status, _, body := r.do(method, path, "door open", key)
		if status != 400 || !strings.Contains(body, "invalid_message") || !strings.Contains(body, "username") || !strings.Contains(body, "token") {
			t.Errorf("%s: %d %s", method, status, body)
		}
	}
	id := r.say("den", "hi")
	for _, method := range []string{"PATCH", "DELETE"} {
		if status, _, body := r.do(method, path+"/"+id.Epoch+"-1", "x", key, "Author-Key: a"); status != 400 || !strings.Contains(body, "username") {
			t.Errorf("%s: %d %s", method, status, body)
		}
	}
	if status, _, body := r.do("POST", path, `{"content":"hi","username":"nas"}`, key); status != 201 {
		t.Errorf("with a name in the body: %d %s", status, body)
	}
	// A name that many have says no more than none.
	first, _, one := r.do("POST", path+"?username=Anonymous", "door open", key)
	second, _, two := r.do("POST", path+"?username=Anonymous", "window open", key)
	if first != 201 || second != 201 || !strings.Contains(two, "window open") {
		t.Errorf("%d %s, then %d %s", first, one, second, two)
	}

	// Over WebSocket a client without a name has an ack all the same, of what it has said.
	var ids []any
	for _, content := range []string{"rain", "sun", "sun"} {
		c := edgetest.Dial(t, r.ws+"/chat/room/roof", jsonHeader)
		c.JSONOf("subscribed")
		c.Text(`{"type":"message","content":"` + content + `","idempotency_key":"1"}`)
		ids = append(ids, c.JSONOf("ack")["id"])
	}
	if ids[0] == ids[1] || ids[1] != ids[2] {
		t.Errorf("one key for rain, sun, and sun again: %v", ids)
	}
}

// TestHistoryGap: each form of the history says that something is missing, and so do lines.
func TestHistoryGap(t *testing.T) {
	r := newRig(t, func(s *setup) { s.store.History = 5 })
	var first string
	for i := range 8 {
		id := r.say("den", fmt.Sprint("m", i))
		if i == 0 {
			first = id.Epoch + "-1"
		}
	}
	for _, test := range []struct{ query, recovered string }{
		{"", "true"}, {"?since=all", "true"}, {"?since=" + first, "false"}, {"?since=unheard-1", "false"},
		{"?since=" + strings.TrimSuffix(first, "1") + "6", "true"},
		{"?since=" + strings.TrimSuffix(first, "1") + "5&limit=1", "false"},
	} {
		for _, accept := range []string{"application/json", "application/x-ndjson", "application/msgpack"} {
			for _, method := range []string{"GET", "HEAD"} {
				status, header, body := r.do(method, "/chat/room/den/messages"+test.query, "", "Accept: "+accept)
				if got := header.Get("Edgechat-Recovered"); status != 200 || got != test.recovered {
					t.Errorf("%s %q as %s: %d, Edgechat-Recovered: %q, want %s", method, test.query, accept, status, got, test.recovered)
				}
				if accept != "application/x-ndjson" || method == "HEAD" {
					continue
				}
				line, _, _ := strings.Cut(body, "\n")
				var m map[string]any
				if err := json.Unmarshal([]byte(line), &m); err != nil || (m["type"] == "gap") != (test.recovered == "false") {
					t.Errorf("%q begins with %s", test.query, line)
				}
				if m["type"] == "gap" && (m["since"] != strings.TrimPrefix(strings.TrimSuffix(test.query, "&limit=1"), "?since=") || m["oldest"] != strings.TrimSuffix(first, "1")+"4") {
					t.Errorf("%q: the gap is %s", test.query, line)
				}
			}
		}
	}
}
