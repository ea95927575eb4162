package chat

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"edgechat/codec"
	"edgechat/internal/edgetest"
)

func TestPost(t *testing.T) {
	r := newRig(t)
	c := r.room("den", "", jsonHeader)
	c.JSONOf("joined")
	const path = "/chat/room/den/messages"
	for _, test := range []struct {
		query, body  string
		headers      []string
		name, wanted string
	}{
		{"", `{"content":"one","username":"ann"}`, []string{"Content-Type: application/json"}, "ann", "one"},
		{"", `{"content":"zwei"}`, []string{"Content-Type: application/json; charset=utf-8"}, "Anonymous", "zwei"},
		{"?username=nas", "backup done", []string{"Content-Type: text/plain"}, "nas", "backup done"},
		{"?username=curl", "a=b&c", []string{"Content-Type: application/x-www-form-urlencoded"}, "curl", "a=b&c"},
		{"?username=bare", "{}", nil, "bare", "{}"},
		// What curl -d sends is a form to it. An object with content is a post all the same.
		{"", `{"content":"drei","username":"nas"}`, []string{"Content-Type: application/x-www-form-urlencoded"}, "nas", "drei"},
		{"?username=nas", ` {"other":[1],"content":"vier"}`, nil, "nas", "vier"},
		{"?username=query", `{"content":"five","username":"body"}`, []string{"Content-Type: application/json"}, "body", "five"},
		{"?username=query", `{"content":"six"}`, []string{"Content-Type: application/json"}, "query", "six"},
		// What only looks like one is text, and so is what is called text.
		{"", `{"content":"seven"`, nil, "Anonymous", `{"content":"seven"`},
		{"", `{"Content":"eight"}`, nil, "Anonymous", `{"Content":"eight"}`},
		{"", `["content"]`, nil, "Anonymous", `["content"]`},
		{"", `{"content":"nine"}`, []string{"Content-Type: text/plain"}, "Anonymous", `{"content":"nine"}`},
	} {
		status, header, body := r.do("POST", path+test.query, test.body, test.headers...)
		live := string(c.Expect(edgetest.OpText))
		var m map[string]any
		if err := json.Unmarshal([]byte(body), &m); err != nil || status != 201 || m["username"] != test.name || m["content"] != test.wanted ||
			header.Get("Content-Type") != "application/json; charset=utf-8" || header.Get("Cache-Control") != "no-store" ||
			header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%q: %d %v %s %v", test.body, status, header, body, err)
		}
		if strings.TrimSpace(body) != live {
			t.Errorf("answer %s is not the live frame %s", body, live)
		}
	}
	_, _, first := r.do("POST", path+"?username=nas", "once", "Idempotency-Key: k-1")
	status, _, again := r.do("POST", path+"?username=nas", "twice", `Idempotency-Key: "k-1"`)
	if status != 201 || again != first {
		t.Errorf("the same key: %d %s, first %s", status, again, first)
	}
	status, header, packed := r.do("POST", path, "three", "Accept: application/msgpack")
	if status != 201 || header.Get("Content-Type") != "application/msgpack" || !strings.Contains(packed, "\xa7content\xa5three") {
		t.Errorf("as MessagePack: %d %q", status, packed)
	}
}

func TestPostRefused(t *testing.T) {
	r := newRig(t)
	const json = "Content-Type: application/json"
	for _, test := range []struct {
		method, path, body, header string
		status                     int
		code, message              string
	}{
		{"POST", "/chat/room/den/messages", "", "", 400, "invalid_message", "empty"},
		{"POST", "/chat/room/den/messages", "{}", json, 400, "invalid_message", "content"},
		{"POST", "/chat/room/den/messages", `{"content":1}`, json, 400, "invalid_message", "content"},
		{"POST", "/chat/room/den/messages", `{"content":"x"`, json, 400, "invalid_message", ""},
		{"POST", "/chat/room/den/messages", `{"content":1}`, "", 400, "invalid_message", "must be a string"},
		{"POST", "/chat/room/den/messages", `{"content":"x","username":"a\u0000b"}`, "", 400, "invalid_username", ""},
		{"POST", "/chat/room/den/messages?username=%00", `{"content":"x"}`, json, 400, "invalid_username", ""},
		{"GET", "/chat/room/den/members?username=%E2%80%AEx", "", "", 400, "invalid_username", ""},
		{"GET", "/chat/room/den/messages?username=%E2%80%AEx", "", "", 400, "invalid_username", ""},
		{"POST", "/chat/room/den/messages", `{"content":"x","username":"a\u0000b"}`, json, 400, "invalid_username", ""},
		{"POST", "/chat/room/den/messages?username=%E2%80%AEx", "x", "", 400, "invalid_username", ""},
		{"POST", "/chat/room/den/messages", "a\xffb", "", 400, "invalid_message", "UTF-8"},
		{"POST", "/chat/room/den/messages", strings.Repeat("x", 4097), "", 400, "invalid_message", "4096"},
		{"POST", "/chat/room/den/messages", strings.Repeat("x", 7*4096), "", 413, "too_large", "longer than"},
		{"POST", "/chat/room/den/messages", "<x/>", "Content-Type: text/xml", 415, "unsupported_media_type", "text/xml"},
		{"POST", "/chat/room/den/messages", "x", "Content-Type: ;", 415, "unsupported_media_type", ""},
		{"POST", "/chat/room/den/messages", "x", "Idempotency-Key: " + strings.Repeat("k", 65), 400, "invalid_message", "idempotency_key"},
		{"POST", "/chat/room/a%20b/messages", "x", "", 400, "invalid_room", ""},
		{"POST", "/chat/room/%ff/messages", "x", "", 400, "invalid_room", ""},
		{"POST", "/chat/room/" + strings.Repeat("r", 65) + "/messages", "x", "", 400, "invalid_room", "64"},
		{"DELETE", "/chat/room/den/messages", "", "", 405, "method_not_allowed", ""},
		{"GET", "/chat/room/den", "", "", 426, "upgrade_required", "ws://"},
		{"GET", "/chat/room/a/b", "", "", 404, "not_found", ""},
		{"GET", "/chat/room/den/messages?limit=0", "", "", 400, "invalid_query", "limit"},
		{"GET", "/chat/room/den/messages?limit=x", "", "", 400, "invalid_query", "limit"},
		{"GET", "/chat/room/den/messages?limit=x&since=all", "", "", 400, "invalid_query", "limit"},
		{"GET", "/chat/room/den/messages?since=x&before=a-1", "", "", 400, "invalid_query", "since"},
		{"GET", "/chat/room/den/messages?since=x", "", "", 400, "invalid_query", `since: "x" is no message id like k3f9q2-1042: there is no "-" in it; "all" asks for`},
		{"GET", "/chat/room/den/messages?before=a-01", "", "", 400, "invalid_query", "without sign or leading zeros"},
		{"GET", "/chat/room/den/messages?since=a-1&before=a-2", "", "", 400, "invalid_query", "exclude"},
	} {
		var headers []string
		if test.header != "" {
			headers = append(headers, test.header)
		}
		status, header, body := r.do(test.method, test.path, test.body, headers...)
		code, message := errorOf(body)
		if status != test.status || code != test.code || !strings.Contains(message, test.message) {
			t.Errorf("%s %.60s %.40q: %d %s", test.method, test.path, test.body, status, body)
		}
		if status == 405 && header.Get("Allow") == "" {
			t.Error("405 without Allow")
		}
	}
	if r.store.Head("den").Offset != 0 {
		t.Error("something was published")
	}
	// The same before an upgrade.
	for _, test := range []struct{ path, code string }{
		{"/chat/room/a%20b", "invalid_room"}, {"/chat/room/den?username=%00", "invalid_username"},
		{"/chat/room/den?username=" + strings.Repeat("u", 33), "invalid_username"}, {"/chat/room/den?limit=-1", "invalid_query"},
		{"/chat/room/den?since=1", "invalid_query"}, {"/chat/room/den?format=xml", "invalid_query"}, {"/chat/room/den?before=a-1", "invalid_query"},
	} {
		c := edgetest.TryDial(t, r.ws+test.path)
		body := make([]byte, 500)
		n, _ := c.Response.Body.Read(body)
		if code, _ := errorOf(string(body[:n])); c.Response.StatusCode != 400 || code != test.code {
			t.Errorf("%s: %s %s", test.path, c.Response.Status, body[:n])
		}
	}
}

func errorOf(body string) (code, message string) {
	var e struct {
		Error struct{ Code, Message string }
	}
	_ = json.Unmarshal([]byte(body), &e)
	return e.Error.Code, e.Error.Message
}

func TestHistory(t *testing.T) {
	r := newRig(t, func(s *setup) { s.chat.ReplayLimit = 5 })
	var ids []string
	for i := range 10 {
		ids = append(ids, r.say("den", fmt.Sprint(i+1)).String())
	}
	type page struct {
		Room, ID, Oldest string
		Recovered        bool
		Messages         []json.RawMessage
	}
	get := func(query string, headers ...string) (p page) {
		t.Helper()
		status, _, body := r.do("GET", "/chat/room/den/messages"+query, "", headers...)
		if err := json.Unmarshal([]byte(body), &p); err != nil || status != 200 {
			t.Fatalf("%s: %d %s", query, status, body)
		}
		if p.Room != "den" || p.ID != ids[9] || p.Oldest != ids[0] {
			t.Errorf("%s: %s", query, body)
		}
		return p
	}
	check := func(query string, recovered bool, first, last int) {
		t.Helper()
		p := get(query)
		if p.Recovered != recovered || len(p.Messages) != last-first+1 {
			t.Errorf("%s: recovered %t, %d messages", query, p.Recovered, len(p.Messages))
			return
		}
		for i, m := range p.Messages {
			if !strings.Contains(string(m), fmt.Sprintf(`"content":"%d"`, first+i)) {
				t.Errorf("%s: %s instead of %d", query, m, first+i)
			}
		}
	}
	check("?since="+ids[6], true, 8, 10)
	check("?since="+ids[1], false, 6, 10) // more than the cap: not all of it
	check("?since=other-1", false, 6, 10)
	if p := get(""); len(p.Messages) != 5 {
		t.Errorf("%d messages without a query", len(p.Messages))
	}
	if p := get("?limit=1000"); len(p.Messages) != 5 {
		t.Errorf("%d messages over the cap", len(p.Messages))
	}
	// Paging back reaches everything once.
	before, seen := "", 0
	for {
		p := get("?limit=4" + before)
		if len(p.Messages) == 0 {
			break
		}
		seen += len(p.Messages)
		var m struct{ ID string }
		if err := json.Unmarshal(p.Messages[0], &m); err != nil {
			t.Fatal(err)
		}
		before = "&before=" + m.ID
	}
	if seen != 10 {
		t.Errorf("paging back found %d messages", seen)
	}
	// The bytes are those of the live frames.
	all, err := r.store.Read("den", codec.Query{})
	if err != nil {
		t.Fatal(err)
	}
	if want := codec.AppendMessage(nil, codec.JSON, &all.Messages[9]); string(get("").Messages[4]) != string(want) {
		t.Errorf("%s is not %s", get("").Messages[4], want)
	}
	status, header, lines := r.do("GET", "/chat/room/den/messages?limit=2", "", "Accept: application/x-ndjson")
	if status != 200 || header.Get("Content-Type") != "application/x-ndjson" || strings.Count(lines, "\n") != 2 {
		t.Errorf("lines: %v %q", header, lines)
	}
	status, header, packed := r.do("GET", "/chat/room/den/messages?limit=2", "", "Accept: text/html, ;, application/msgpack;q=0.9")
	if status != 200 || header.Get("Content-Type") != "application/msgpack" || !strings.Contains(packed, "messages\x92") {
		t.Errorf("MessagePack: %v %q", header, packed)
	}
	if status, _, body := r.do("HEAD", "/chat/room/den/messages", ""); status != 200 || body != "" {
		t.Errorf("HEAD: %d %q", status, body)
	}
	if status, _, body := r.do("GET", "/chat/room/empty/messages", ""); status != 200 || !strings.HasPrefix(body, `{"room":"empty",`) || !strings.Contains(body, `"messages":[]`) {
		t.Errorf("an empty room: %d %s", status, body)
	}
}

func TestPresence(t *testing.T) {
	r := newRig(t)
	for _, who := range []string{"bob", "ann", "ann"} {
		r.room("den", "username="+who, jsonHeader).JSONOf("joined")
	}
	r.room("attic", "", jsonHeader).JSONOf("joined")
	r.say("attic", "x")
	_, _, body := r.do("GET", "/chat/room/den/members", "")
	var members struct {
		Room    string
		Members []struct {
			Username    string
			Connections int
			Since       string
		}
	}
	if err := json.Unmarshal([]byte(body), &members); err != nil || len(members.Members) != 2 || members.Room != "den" ||
		members.Members[0].Username != "ann" || members.Members[0].Connections != 2 || members.Members[1].Username != "bob" || members.Members[0].Since == "" {
		t.Errorf("members: %s", body)
	}
	_, _, body = r.do("GET", "/chat/rooms", "")
	want := fmt.Sprintf(`{"rooms":[{"room":"attic","members":1,"id":"%s"},{"room":"den","members":3,"id":"%s"}]}`, r.store.Head("attic"), r.store.Head("den"))
	if strings.TrimSpace(body) != want {
		t.Errorf("rooms: %s, want %s", body, want)
	}
	if _, _, body := r.do("GET", "/chat/room/nobody/members", ""); !strings.Contains(body, `"members":[]`) {
		t.Errorf("nobody there: %s", body)
	}
}
