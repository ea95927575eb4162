package chat

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/internal/edgetest"
)

// TestPlainClient: the four lines that everyone writes first. No subprotocol,
// and of the control frames error alone.
func TestPlainClient(t *testing.T) {
	r := newRig(t)
	alice := r.room("general", "username=Alice")
	if m := alice.JSON(); m["type"] != "joined" || m["username"] != "Alice" || m["id"] != nil || m["timestamp"] == nil {
		t.Errorf("first frame %v", m)
	}
	bob := r.room("general", "")
	if m := alice.JSON(); m["type"] != "joined" || m["username"] != "Anonymous" {
		t.Errorf("second frame %v", m)
	}
	bob.JSONOf("joined")
	alice.Text(`{"type":"message","content":"Hello everyone!","idempotency_key":"k"}`)
	for _, c := range []*edgetest.Client{alice, bob} {
		m := c.JSON()
		if m["type"] != "message" || m["content"] != "Hello everyone!" || m["username"] != "Alice" || m["offset"] != 1.0 {
			t.Errorf("message %v", m)
		}
	}
	// Once what was published later is settled, so is hers: an ack would come next.
	settled := make(chan codec.Receipt, 1)
	m := codec.Message{Username: "x", Content: "later", Time: time.Now().UnixMilli()}
	if err := r.hub.Publish("general", m, "", codec.Done{Tell: func(rec codec.Receipt) { settled <- rec }}); err != nil {
		t.Fatal(err)
	}
	<-settled
	for _, c := range []*edgetest.Client{alice, bob} {
		if m := c.JSON(); m["content"] != "later" {
			t.Errorf("behind her own message: %v", m)
		}
	}
	alice.Text(`{"type":"typing"}`)
	if m := bob.JSON(); m["type"] != "typing" || m["username"] != "Alice" {
		t.Errorf("typing %v", m)
	}
	if m := alice.JSON(); m["type"] != "typing" {
		t.Errorf("behind what is settled: %v", m)
	}
	alice.Text(`{"type":"nonsense"}`)
	if m := alice.JSON(); m["type"] != "error" || m["code"] != "invalid_message" {
		t.Errorf("error %v", m)
	}
	alice.Close()
	if m := bob.JSON(); m["type"] != "left" || m["username"] != "Alice" {
		t.Errorf("left %v", m)
	}
}

func TestSubscribed(t *testing.T) {
	r := newRig(t)
	c := r.room("den", "username=ann", jsonHeader)
	m := c.JSON()
	if m["type"] != "subscribed" || m["room"] != "den" || m["offset"] != 0.0 || m["oldest"] != nil || m["members"] != 1.0 ||
		m["username"] != "ann" || m["was_recovering"] != false || m["max_content_bytes"] != 4096.0 || m["ping_interval_ms"] != 25000.0 {
		t.Errorf("empty room: %v", m)
	}
	start := m["id"].(string)
	var ids []codec.ID
	for i := range 10 {
		ids = append(ids, r.say("den", fmt.Sprint(i+1)))
	}
	for _, test := range []struct {
		query                     string
		wasRecovering, recovered  bool
		firstContent, lastContent int
	}{
		{"since=all", false, false, 1, 10},
		{"since=all&limit=3", false, false, 8, 10},
		{"since=" + start, true, true, 1, 10},
		{"since=" + ids[4].String(), true, true, 6, 10},
		{"since=" + ids[4].String() + "&limit=5", true, true, 6, 10},
		{"since=" + ids[4].String() + "&limit=2", true, false, 9, 10},
		{"since=" + ids[9].String(), true, true, 11, 10},
		{"since=unknown-5", true, false, 1, 10},
		{"since=" + ids[0].Epoch + "-4711", true, false, 1, 10},
	} {
		for _, header := range []string{jsonHeader, "X-Plain: yes"} {
			c := r.room("den", test.query+"&username=bob", header)
			m := c.JSON()
			if m["type"] != "subscribed" || m["was_recovering"] != test.wasRecovering || m["recovered"] != test.recovered ||
				m["id"] != ids[9].String() || m["offset"] != 10.0 || m["oldest"] != ids[0].String() || m["members"] != 2.0 {
				t.Errorf("%s: %v", test.query, m)
			}
			for n := test.firstContent; n <= test.lastContent; n++ {
				if m := c.JSON(); m["content"] != fmt.Sprint(n) {
					t.Errorf("%s: %v instead of message %d", test.query, m, n)
				}
			}
			if m := c.JSON(); m["type"] != "joined" || m["username"] != "bob" {
				t.Errorf("%s: after the replay comes %v", test.query, m)
			}
			c.Close()
			eventually(t, "bob leaves", func() bool { return len(r.hub.Members("den")) == 1 })
		}
	}
}

// TestFormats: the same frames in both formats, byte for byte as codec has
// them, whichever way they came in.
func TestFormats(t *testing.T) {
	r := newRig(t)
	js := r.room("den", "username=js", jsonHeader)
	js.JSONOf("joined")
	mp := r.room("den", "username=mp", msgpackHeader)
	byQuery := r.room("den", "username=q&format=msgpack")
	mp.Expect(edgetest.OpBinary) // subscribed
	mp.Expect(edgetest.OpBinary) // joined mp
	mp.Expect(edgetest.OpBinary) // joined q
	byQuery.Expect(edgetest.OpBinary)
	js.JSONOf("joined")
	js.JSONOf("joined")
	send := []struct {
		c      *edgetest.Client
		binary bool
		user   string
	}{{js, false, "js"}, {mp, true, "mp"}, {js, true, "js"}, {mp, false, "mp"}, {byQuery, true, "q"}}
	for i, s := range send {
		content := fmt.Sprintf("Grüße %d", i)
		if s.binary {
			s.c.Binary(append([]byte("\x82\xa4type\xa7message\xa7content\xa9"), content...))
		} else {
			s.c.Text(`{"type":"message","content":"` + content + `"}`)
		}
		want := r.last("den", content)
		if want.Username != s.user {
			t.Errorf("%s spoke as %s", s.user, want.Username)
		}
		js.ExpectText(string(codec.AppendMessage(nil, codec.JSON, &want)))
		for _, c := range []*edgetest.Client{mp, byQuery} {
			if got := c.Expect(edgetest.OpBinary); !bytes.Equal(got, codec.AppendMessage(nil, codec.MsgPack, &want)) {
				t.Errorf("frame %q", got)
			}
		}
	}
}

// last waits for the newest message of a room to have this content and returns it.
func (r *rig) last(room, content string) (m codec.Message) {
	r.t.Helper()
	eventually(r.t, content, func() bool {
		page, err := r.store.Read(room, codec.Query{Limit: 1, Newest: true})
		if err != nil {
			r.t.Fatal(err)
		}
		if len(page.Messages) == 0 || page.Messages[0].Content != content {
			return false
		}
		m = page.Messages[0]
		return true
	})
	return m
}

func TestAcks(t *testing.T) {
	r := newRig(t)
	ann := r.room("den", "username=ann", jsonHeader)
	ann.JSONOf("joined")
	ack := func(c *edgetest.Client, key, content string) map[string]any {
		t.Helper()
		c.Text(`{"type":"message","content":"` + content + `","idempotency_key":"` + key + `"}`)
		return c.JSONOf("ack")
	}
	first := ack(ann, "k1", "one")
	if first["idempotency_key"] != "k1" || first["offset"] != 1.0 || first["durable"] != true || first["id"] == nil {
		t.Errorf("ack %v", first)
	}
	if again := ack(ann, "k1", "one more time"); again["id"] != first["id"] {
		t.Errorf("the same key: %v, then %v", first, again)
	}
	if second := ack(ann, "k2", "two"); second["offset"] != 2.0 {
		t.Errorf("another key: %v", second)
	}
	// Another connection of the same name is the same sender; another name is not.
	same := r.room("den", "username=ann", jsonHeader)
	if again := ack(same, "k1", "resent"); again["id"] != first["id"] {
		t.Errorf("after a reconnect: %v", again)
	}
	bob := r.room("den", "username=bob", jsonHeader)
	if other := ack(bob, "k1", "three"); other["offset"] != 3.0 {
		t.Errorf("bob's k1: %v", other)
	}
	elsewhere := r.room("attic", "username=ann", jsonHeader)
	if other := ack(elsewhere, "k1", "other room"); other["offset"] != 1.0 {
		t.Errorf("ann's k1 elsewhere: %v", other)
	}
}

// TestBadInput: each is answered as the protocol says, in the connection's
// format, and the connection goes on.
func TestBadInput(t *testing.T) {
	r := newRig(t)
	tests := []struct {
		name, json, msgpack, message, key string
	}{
		{"no JSON", `hello`, "\xc1", "", ""},
		{"empty", ``, "", "", ""},
		{"no object", `[1]`, "\x91\x01", "", ""},
		{"cut short", `{"type":"mess`, "\x82\xa4type\xa7mess", "", ""},
		{"trailing bytes", `{"type":"typing"}x`, "\x81\xa4type\xa6typingx", "", ""},
		{"no type", `{"content":"x"}`, "\x81\xa7content\xa1x", "type", ""},
		{"unknown type", `{"type":"shout"}`, "\x81\xa4type\xa5shout", "shout", ""},
		{"type is a number", `{"type":1}`, "\x81\xa4type\x01", "type", ""},
		{"content is a number", `{"type":"message","content":7,"idempotency_key":"k"}`, "\x83\xa4type\xa7message\xafidempotency_key\xa1k\xa7content\x07", "content", "k"},
		{"content too long", `{"type":"message","content":"` + strings.Repeat("x", 4097) + `","idempotency_key":"k"}`,
			"\x83\xa4type\xa7message\xafidempotency_key\xa1k\xa7content\xda\x10\x01" + strings.Repeat("x", 4097), "content is longer than 4096 bytes", "k"},
		{"key too long", `{"type":"message","idempotency_key":"` + strings.Repeat("k", 65) + `"}`,
			"\x82\xa4type\xa7message\xafidempotency_key\xd9\x41" + strings.Repeat("k", 65), "idempotency_key", ""},
		{"map bomb", `{"type":"typing","x":` + strings.Repeat("[", 20_000), "\xdf\x01\x00\x00\x00", "", ""},
		{"text that is no UTF-8 in MessagePack", `{"type":"message","content":"\ud800"}`, "\x82\xa4type\xa7message\xa7content\xa1\xff", "", ""},
	}
	js := r.room("den", "username=js", jsonHeader)
	js.JSONOf("joined")
	mp := r.room("den", "username=mp", msgpackHeader)
	mp.Expect(edgetest.OpBinary)
	mp.Expect(edgetest.OpBinary)
	js.JSONOf("joined")
	for _, test := range tests {
		js.Text(test.json)
		m := js.JSON()
		if m["type"] != "error" || m["code"] != "invalid_message" || !strings.Contains(m["message"].(string), test.message) || m["message"] == "" {
			t.Errorf("%s: %v", test.name, m)
		}
		if key, _ := m["idempotency_key"].(string); key != test.key {
			t.Errorf("%s: key %q", test.name, key)
		}
		mp.Binary([]byte(test.msgpack))
		got := string(mp.Expect(edgetest.OpBinary))
		if !strings.Contains(got, "\xa4type\xa5error") || !strings.Contains(got, "invalid_message") || !strings.Contains(got, test.message) ||
			strings.Contains(got, "idempotency_key\xa1k") != (test.key != "") {
			t.Errorf("%s: %q", test.name, got)
		}
	}
	if n := r.rt.Stats().Invalid; n != uint64(2*len(tests)) {
		t.Errorf("%d invalid messages counted", n)
	}
	page, err := r.store.Read("den", codec.Query{})
	if err != nil || len(page.Messages) != 0 {
		t.Errorf("published: %v %v", page.Messages, err)
	}
	js.Text(`{"type":"message","content":"still here"}`)
	if m := js.JSON(); m["content"] != "still here" {
		t.Errorf("afterwards: %v", m)
	}
	// Over the frame limit there is no next message.
	js.Text(strings.Repeat("x", 6*4096+2000))
	if code, reason := js.ExpectClose(); code != 1009 {
		t.Errorf("closed with %d %q", code, reason)
	}
	mp.Raw(edgetest.Frame(edgetest.OpText, []byte("\xff")))
	if code, reason := mp.ExpectClose(); code != 1007 {
		t.Errorf("closed with %d %q", code, reason)
	}
}

// Who does not ask for what was said before does not get it, and a subprotocol that was
// agreed on stands above the query.
func TestWhatWasNotAskedFor(t *testing.T) {
	r := newRig(t)
	r.say("den", "before")
	plain := r.room("den", "username=plain")
	if m := plain.JSON(); m["type"] != "joined" {
		t.Errorf("the first frame of a plain client is %v", m)
	}
	text := r.room("den", "username=text&format=msgpack", jsonHeader)
	if m := text.JSON(); m["type"] != "subscribed" {
		t.Errorf("the first frame is %v", m)
	}
	if m := text.JSON(); m["type"] != "joined" {
		t.Errorf("behind subscribed: %v", m)
	}
	binary := r.room("den", "username=binary&format=json", msgpackHeader)
	if got := string(binary.Expect(edgetest.OpBinary)); !strings.Contains(got, "subscribed") {
		t.Errorf("the first frame is %q", got)
	}
	if got := string(binary.Expect(edgetest.OpBinary)); !strings.Contains(got, "joined") {
		t.Errorf("behind subscribed: %q", got)
	}
}
