package chat

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/internal/edgetest"
)

// many connects to GET /chat and takes the welcome.
func (r *rig) many(query string, headers ...string) *edgetest.Client {
	r.t.Helper()
	c := edgetest.Dial(r.t, r.ws+"/chat?"+query, append(headers, jsonHeader)...)
	if m := c.JSON(); m["type"] != "welcome" {
		r.t.Fatalf("first comes %v", m)
	}
	return c
}

// expect reads a frame and compares it with a type and these pairs of a key and its value.
func expect(t *testing.T, c *edgetest.Client, typ string, pairs ...any) map[string]any {
	t.Helper()
	return is(t, c.JSON(), typ, pairs...)
}

func is(t *testing.T, m map[string]any, typ string, pairs ...any) map[string]any {
	t.Helper()
	bad := m["type"] != typ
	for i := 0; i < len(pairs); i += 2 {
		bad = bad || m[pairs[i].(string)] != pairs[i+1]
	}
	if bad {
		t.Fatalf("%v came, not %s %v", m, typ, pairs)
	}
	return m
}

// acked reads a frame of what was said and its ack, whichever comes first.
func acked(t *testing.T, c *edgetest.Client, typ string, pairs ...any) (frame, ack map[string]any) {
	t.Helper()
	if frame, ack = c.JSON(), c.JSON(); frame["type"] == "ack" {
		frame, ack = ack, frame
	}
	is(t, frame, typ, pairs...)
	return frame, is(t, ack, "ack", "room", frame["room"], "id", frame["id"], "offset", frame["offset"], "durable", true)
}

// TestMany goes through the life of one connection in several rooms.
func TestMany(t *testing.T) {
	r := newRig(t)
	old := r.say("attic", "old")
	c := edgetest.Dial(t, r.ws+"/chat?username=Alice", jsonHeader)
	c.ExpectText(`{"type":"welcome","username":"Alice","verified":false,"max_content_bytes":4096,"max_rooms":32,"ping_interval_ms":25000}`)

	c.Text(`{"type":"join","room":"den"}`)
	c.Text(`{"type":"message","room":"den","content":"right behind it","idempotency_key":"k1"}`)
	expect(t, c, "subscribed", "room", "den", "offset", 0.0, "members", 1.0, "username", "Alice", "was_recovering", false)
	expect(t, c, "joined", "room", "den", "username", "Alice")
	_, ack := acked(t, c, "message", "room", "den", "username", "Alice", "content", "right behind it", "offset", 1.0)
	is(t, ack, "ack", "idempotency_key", "k1")

	c.Text(`{"type":"join","room":"attic","since":"` + codec.ID{Epoch: old.Epoch}.String() + `"}`)
	expect(t, c, "subscribed", "room", "attic", "was_recovering", true, "recovered", true, "id", old.String())
	expect(t, c, "message", "room", "attic", "content", "old", "id", old.String())
	expect(t, c, "joined", "room", "attic")
	c.Text(`{"type":"typing","room":"attic"}`)
	expect(t, c, "typing", "room", "attic", "username", "Alice")

	// Who is in one room alone sees no name of it.
	bob := r.room("den", "username=Bob", jsonHeader)
	expect(t, bob, "subscribed")
	expect(t, bob, "joined", "username", "Bob", "room", nil)
	expect(t, c, "joined", "room", "den", "username", "Bob")
	bob.Text(`{"type":"message","content":"hi"}`)
	expect(t, bob, "message", "content", "hi", "room", nil)
	expect(t, c, "message", "room", "den", "content", "hi", "username", "Bob")

	c.Text(`{"type":"ping"}`)
	c.ExpectText(`{"type":"pong"}`)
	c.Text(`{"type":"leave","room":"den"}`)
	c.ExpectText(`{"type":"unsubscribed","room":"den"}`)
	expect(t, bob, "left", "username", "Alice")
	bob.Text(`{"type":"message","content":"nobody else hears"}`)
	expect(t, bob, "message")
	c.Text(`{"type":"join","room":"den","since":"all","limit":1}`)
	expect(t, c, "subscribed", "room", "den", "offset", 3.0, "members", 2.0)
	expect(t, c, "message", "room", "den", "content", "nobody else hears")
	expect(t, c, "joined", "room", "den")
	c.Close()
	eventually(t, "she has left everywhere", func() bool { return len(r.hub.Members("attic")) == 0 && len(r.hub.Members("den")) == 1 })
}

// TestManyRefused: each is answered by an error with its room and key, and the connection goes on.
func TestManyRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	token, err := auth.Create(path, auth.Grant{Name: "Ann", Access: auth.Write, Rooms: []string{"den", "lab-*"}})
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := auth.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	checker, err := auth.New(auth.Config{Tokens: tokens, Anonymous: auth.Read})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(s *setup) { s.chat.Auth, s.chat.RoomsPerConnection = checker, 2 })
	check := func(c *edgetest.Client, frame, code, message string, room, key any) {
		t.Helper()
		c.Text(frame)
		m := expect(t, c, "error", "code", code, "room", room, "idempotency_key", key)
		if text := m["message"].(string); !strings.Contains(text, message) {
			t.Errorf("%s: %s", frame, text)
		}
	}
	c := edgetest.Dial(t, r.ws+"/chat?token="+token+"&username=ignored", jsonHeader)
	expect(t, c, "welcome", "username", "Ann", "verified", true, "max_rooms", 2.0)
	check(c, `{"type":"message","content":"hi","idempotency_key":"k"}`, "invalid_message", "each frame names its room", nil, "k")
	check(c, `{"type":"typing"}`, "invalid_message", "each frame names its room", nil, nil)
	check(c, `{"type":"join"}`, "invalid_message", `{"type":"join","room":"den"}`, nil, nil)
	check(c, `{"type":"message","room":"den","content":"hi","idempotency_key":"k"}`, "not_joined", "wait for subscribed", "den", "k")
	check(c, `{"type":"typing","room":"den"}`, "not_joined", "wait for subscribed", "den", nil)
	check(c, `{"type":"leave","room":"den"}`, "not_joined", "wait for subscribed", "den", nil)
	check(c, `{"type":"join","room":"a b"}`, "invalid_room", "U+0020", "a b", nil)
	check(c, `{"type":"join","room":"attic","idempotency_key":"k"}`, "forbidden", `Ann may not read in room "attic"`, "attic", "k")
	check(c, `{"type":"join","room":"den","since":"x"}`, "invalid_message", "no message id", "den", nil)
	c.Text(`{"type":"join","room":"den"}`)
	expect(t, c, "subscribed", "room", "den")
	expect(t, c, "joined", "room", "den")
	check(c, `{"type":"join","room":"den"}`, "already_joined", "you are in this room", "den", nil)
	c.Text(`{"type":"join","room":"lab-1","announce":false}`)
	expect(t, c, "subscribed", "room", "lab-1")
	check(c, `{"type":"join","room":"lab-2"}`, "too_many_rooms", "leave one", "lab-2", nil)
	if n := r.stats().TooManyRooms; n != 1 {
		t.Errorf("%d joins over the limit were counted", n)
	}
	c.Text(`{"type":"leave","room":"den"}`)
	expect(t, c, "unsubscribed", "room", "den")
	check(c, `{"type":"leave","room":"den"}`, "not_joined", "", "den", nil)
	c.Text(`{"type":"join","room":"lab-2"}`)
	expect(t, c, "subscribed", "room", "lab-2")
	expect(t, c, "joined", "room", "lab-2")

	// Who has no token may read here.
	nobody := r.many("")
	nobody.Text(`{"type":"join","room":"attic"}`)
	expect(t, nobody, "subscribed", "room", "attic")
	expect(t, nobody, "joined", "room", "attic", "username", "Anonymous")
	check(nobody, `{"type":"message","room":"attic","content":"hi","idempotency_key":"k"}`, "forbidden", "read here, not write", "attic", "k")
	nobody.Text(`{"type":"ping"}`)
	expect(t, nobody, "pong")
}

// TestManyReplay: a join brings no more than the server gives at once, whatever it asks for.
func TestManyReplay(t *testing.T) {
	r := newRig(t, func(s *setup) { s.chat.ReplayLimit = 5 })
	for i := range 10 {
		r.say("den", fmt.Sprint(i+1))
	}
	c := r.many("username=Ann")
	for limit, first := range map[string]int{"": 6, `,"limit":2`: 9, `,"limit":5`: 6, `,"limit":50`: 6} {
		c.Text(`{"type":"join","room":"den","since":"all"` + limit + `}`)
		expect(t, c, "subscribed", "room", "den", "was_recovering", false)
		for n := first; n <= 10; n++ {
			expect(t, c, "message", "content", fmt.Sprint(n))
		}
		expect(t, c, "joined")
		c.Text(`{"type":"leave","room":"den"}`)
		expect(t, c, "unsubscribed")
	}
}

// TestManyHandshake: what is wrong with the address is said before the upgrade.
func TestManyHandshake(t *testing.T) {
	r := newRig(t, func(s *setup) { s.chat.RoomsPerConnection = -1 })
	for _, test := range []struct {
		query, header, code, message string
		status                       int
	}{
		{"", "X: y", "bad_handshake", "edgechat.v1.json", 400},
		{"", "Sec-WebSocket-Protocol: chat, superchat", "bad_handshake", "edgechat.v1.msgpack", 400},
		{"?since=all", jsonHeader, "invalid_query", "since has no place", 400},
		{"?announce=0", jsonHeader, "invalid_query", "announce has no place", 400},
		{"?username=%00", jsonHeader, "invalid_username", "U+0000", 400},
	} {
		c := edgetest.TryDial(t, r.ws+"/chat"+test.query, test.header)
		body := make([]byte, 1000)
		n, _ := c.Response.Body.Read(body)
		if code, message := errorOf(string(body[:n])); c.Response.StatusCode != test.status || code != test.code || !strings.Contains(message, test.message) {
			t.Errorf("%s %s: %s %s", test.query, test.header, c.Response.Status, body[:n])
		}
	}
	if status, _, body := r.do("GET", "/chat", ""); status != 426 {
		t.Errorf("without an upgrade: %d %s", status, body)
	}
	// Among others, and without a limit.
	c := edgetest.Dial(t, r.ws+"/chat?format=json", "Sec-WebSocket-Protocol: chat , edgechat.v1.json,x")
	if m := c.JSON(); m["type"] != "welcome" || m["username"] != "Anonymous" || m["max_rooms"] != nil {
		t.Errorf("welcome: %v", m)
	}
	for i := range DefaultRoomsPerConnection + 1 {
		c.Text(fmt.Sprintf(`{"type":"join","room":"room%d"}`, i))
		expect(t, c, "subscribed", "room", fmt.Sprintf("room%d", i))
		expect(t, c, "joined")
	}
}

// TestManyFormats: every kind of frame in MessagePack, as codec has it.
func TestManyFormats(t *testing.T) {
	r := newRig(t)
	c := edgetest.Dial(t, r.ws+"/chat?username=Ann", msgpackHeader)
	next := func(parts ...string) string {
		t.Helper()
		p := string(c.Expect(edgetest.OpBinary))
		for _, part := range parts {
			if !strings.Contains(p, part) {
				t.Fatalf("%q has no %q", p, part)
			}
		}
		return p
	}
	next("\xa4type\xa7welcome", "\xa8username\xa3Ann")
	c.Binary([]byte("\x82\xa4type\xa4join\xa4room\xa3den"))
	next("\xa4type\xaasubscribed", "\xa4room\xa3den")
	next("\xa4type\xa6joined", "\xa4room\xa3den")
	c.Binary([]byte("\x84\xa4type\xa7message\xa4room\xa3den\xa7content\xa2hi\xafidempotency_key\xa1k"))
	got, ack := next(), next()
	if strings.Contains(got, "\xa3ack") { // which may come first
		got, ack = ack, got
	}
	want := r.last("den", "hi")
	if got != string(codec.AppendMessageIn(nil, codec.MsgPack, "den", &want)) {
		t.Errorf("message %q", got)
	}
	if !strings.Contains(ack, "\xa4type\xa3ack") || !strings.Contains(ack, "\xa4room\xa3den") {
		t.Errorf("ack %q", ack)
	}
	c.Text(`{"type":"message","room":"nowhere"}`) // a text frame is JSON all the same
	next("\xa4type\xa5error", "\xa4room\xa7nowhere", "not_joined")
	c.Binary([]byte("\x81\xa4type\xa4ping"))
	next("\x81\xa4type\xa4pong")
	c.Binary([]byte("\x82\xa4type\xa5leave\xa4room\xa3den"))
	next("\x82\xa4type\xacunsubscribed\xa4room\xa3den")
}

// TestOneRoom: the route of one room takes no other, and neither join nor leave.
func TestOneRoom(t *testing.T) {
	r := newRig(t)
	c := r.room("den", "", jsonHeader)
	c.JSONOf("joined")
	c.Text(`{"type":"message","room":"den","content":"its own","idempotency_key":"k"}`)
	acked(t, c, "message", "content", "its own", "room", nil)
	for frame, code := range map[string]string{
		`{"type":"message","room":"attic","content":"hi","idempotency_key":"k"}`: "not_joined",
		`{"type":"typing","room":"attic","idempotency_key":"k"}`:                 "not_joined",
		`{"type":"join","room":"attic","idempotency_key":"k"}`:                   "invalid_message",
		`{"type":"leave","room":"den","idempotency_key":"k"}`:                    "invalid_message",
		`{"type":"join","room":"a b","idempotency_key":"k"}`:                     "invalid_room",
		`{"type":"message","room":7,"idempotency_key":"k"}`:                      "invalid_message",
	} {
		c.Text(frame)
		m := expect(t, c, "error", "code", code, "room", nil)
		if typing := strings.Contains(frame, "typing"); typing != (m["idempotency_key"] == nil) {
			t.Errorf("%s: %v", frame, m)
		}
	}
	if head := r.store.Head("attic"); head.Offset != 0 || r.store.Head("den").Offset != 1 {
		t.Errorf("published: %v", head)
	}
}

// TestManyTooSlow: who reads too slowly for one room is closed as a whole.
func TestManyTooSlow(t *testing.T) {
	r := newRig(t, func(s *setup) { s.ws.WriteTimeout = 200 * time.Millisecond })
	c := r.many("")
	for _, room := range []string{"quiet", "busy"} {
		c.Text(`{"type":"join","room":"` + room + `"}`)
		c.JSONOf("joined")
	}
	for range 1000 {
		r.say("busy", strings.Repeat("x", 4000))
	}
	eventually(t, "it is closed, and has left both", func() bool { return r.rt.Stats().Slow+r.hub.Stats().Lost > 0 && r.hub.Stats().Rooms == 0 })
}
