package chat

import (
	"fmt"
	"testing"

	"edgechat/internal/edgetest"
	"edgechat/moderation"
	"edgechat/refusal"
)

// TestKick: who is kicked from a room is out of it and may come back, with the connection that has other rooms; who is kicked
// from the server is closed, wherever he is.
func TestKick(t *testing.T) {
	r := newRig(t)
	bob := r.room("den", "username=Bob", jsonHeader)
	bob.JSONOf("subscribed")
	ann := r.room("den", "username=Ann", jsonHeader)
	ann.JSONOf("joined")
	everywhere := edgetest.Dial(t, r.ws+"/chat?username=Bob", jsonHeader)
	for _, room := range []string{"den", "attic"} {
		everywhere.Text(`{"type":"join","room":"` + room + `"}`)
		everywhere.JSONOf("subscribed")
	}
	if done := r.does(`{"act":"kick","room":"den","name":"Bob","reason":"too loud"}`); done.Closed != 2 || !done.Durable || done.By != "uid 0" {
		t.Errorf("%+v", done)
	}
	closedWith(t, bob, "kicked", "removed you from this room: too loud")
	if m := everywhere.JSONOf("error"); m["code"] != "kicked" || m["room"] != "den" {
		t.Errorf("%v", m)
	}
	if m := everywhere.JSONOf("unsubscribed"); m["room"] != "den" {
		t.Errorf("%v", m)
	}
	everywhere.Text(`{"type":"message","room":"den","content":"still here?"}`)
	if m := everywhere.JSONOf("error"); m["code"] != "not_joined" {
		t.Errorf("%v", m)
	}
	for range 2 {
		if m := ann.JSONOf("left"); m["username"] != "Bob" {
			t.Errorf("%v", m)
		}
	}
	everywhere.Text(`{"type":"join","room":"den"}`)
	everywhere.JSONOf("subscribed")
	if done := r.does(`{"act":"kick","name":"Bob"}`); done.Closed != 1 {
		t.Errorf("%+v", done)
	}
	closedWith(t, everywhere, "kicked", "from this server")
	r.room("den", "username=Bob", jsonHeader).JSONOf("subscribed")
	if !r.log.Has(`msg=moderation act=kick by="uid 0" room=den name=Bob reason="too loud" closed=2`) {
		t.Errorf("the log does not have it:\n%s", r.log)
	}
	if n := r.stats().Moderation.Acts[moderation.ActKick]; n != 2 {
		t.Errorf("%d kicks counted", n)
	}
}

// TestKickedAtOnce: whoever was told that he is in a room can be put out of it, however soon.
func TestKickedAtOnce(t *testing.T) {
	r := newRig(t)
	busy := r.room("den", "", jsonHeader)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // until stop: others have everyone in the room written to all the time
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			busy.Text(`{"type":"message","content":"x"}`)
			if _, _, err := busy.Read(); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	many := edgetest.Dial(t, r.ws+"/chat?username=Bob", jsonHeader)
	for range 100 {
		many.Text(`{"type":"join","room":"den"}`)
		many.JSONOf("subscribed")
		if done := r.does(`{"act":"kick","room":"den","name":"Bob"}`); done.Closed != 1 {
			t.Fatalf("%+v", done)
		}
		many.JSONOf("unsubscribed")
	}
	r.chat.here.mu.Lock()
	defer r.chat.here.mu.Unlock()
	if n := len(r.chat.here.list); n != 2 {
		t.Errorf("%d occupants are left, of 2 connections", n)
	}
}

// TestBan: who is banned is closed, and refused on every way in, until he is not banned any more.
func TestBan(t *testing.T) {
	r := newRig(t)
	r.say("den", "before")
	ways := func(want string) {
		t.Helper()
		for _, way := range []struct{ method, path string }{
			{"GET", "/chat/room/den/messages?username=Bob"}, {"POST", "/chat/room/den/messages?username=Bob"},
			{"GET", "/chat/room/den/members?username=Bob"}, {"DELETE", "/chat/room/den/messages/x-1?username=Bob"},
		} {
			status, _, body := r.do(way.method, way.path, "hi")
			if code, _ := errorOf(body); code != want || want == "banned" && status != 403 {
				t.Errorf("%s %s: %d %s, want %q", way.method, way.path, status, body, want)
			}
			if way.method == "DELETE" {
				break
			}
			_ = status
		}
	}
	bob := r.room("den", "username=Bob", jsonHeader)
	bob.JSONOf("subscribed")
	away := r.room("attic", "username=Bob", jsonHeader)
	away.JSONOf("subscribed")
	many := edgetest.Dial(t, r.ws+"/chat?username=Bob", jsonHeader)
	many.JSONOf("welcome")
	if done := r.does(`{"act":"ban","room":"den","name":"Bob","for":"1h","reason":"spam"}`); done.Closed != 1 || !done.Durable {
		t.Errorf("%+v", done)
	}
	closedWith(t, bob, "banned", "you are banned from this room for another 1h: spam")
	ways("banned")
	many.Text(`{"type":"join","room":"den"}`)
	if m := many.JSONOf("error"); m["code"] != "banned" || m["room"] != "den" || m["retry_after_ms"].(float64) < 1000*3500 {
		t.Errorf("%v", m)
	}
	c := edgetest.TryDial(t, r.ws+"/chat/room/den?username=Bob")
	if c.Response.StatusCode != 403 || c.Response.Header.Get("Retry-After") == "" {
		t.Errorf("a handshake: %s %v", c.Response.Status, c.Response.Header)
	}
	// A body may have another name than the query.
	if status, _, body := r.do("POST", "/chat/room/den/messages", `{"content":"hi","username":"Bob"}`, "Content-Type: application/json"); status != 403 {
		t.Errorf("under the name in a body: %d %s", status, body)
	}
	away.Text(`{"type":"message","content":"elsewhere"}`)
	away.JSONOf("message")
	if status, _, _ := r.do("GET", "/chat/room/den/messages?username=Ann", ""); status != 200 {
		t.Errorf("Ann gets %d", status)
	}

	if done := r.does(`{"act":"ban","name":"Bob"}`); done.Closed != 2 {
		t.Errorf("%+v", done)
	}
	closedWith(t, away, "banned", "from this server")
	closedWith(t, many, "banned", "from this server")
	if c := edgetest.TryDial(t, r.ws+"/chat?username=Bob", jsonHeader); c.Response.StatusCode != 403 {
		t.Errorf("a handshake of /chat: %s", c.Response.Status)
	}
	if status, _, _ := r.do("GET", "/chat/rooms?username=Bob", ""); status != 403 {
		t.Errorf("rooms: %d", status)
	}
	r.does(`{"act":"unban","name":"Bob"}`)
	ways("banned") // from the den
	r.does(`{"act":"unban","name":"Bob","room":"den"}`)
	r.room("den", "username=Bob", jsonHeader).JSONOf("subscribed")
	r.refuses(`{"act":"unban","name":"Bob"}`, refusal.NotFound, `no ban of name "Bob" in all rooms`)
	if s := r.stats().Moderation; s.Refused[refusal.Banned] < 8 || s.Acts[moderation.ActBan] != 2 || s.Rules[moderation.KindBan] != 0 {
		t.Errorf("%+v", s)
	}
}

// TestBanAddress: a rule by address is about the client that a trusted proxy names, and about nobody on this machine.
func TestBanAddress(t *testing.T) {
	r := newRig(t)
	from := func(ip string) string { return "X-Forwarded-For: " + ip }
	dial := func(ip string) *edgetest.Client {
		c := r.room("den", "username=Bob", jsonHeader, from(ip))
		c.JSONOf("subscribed")
		return c
	}
	v4, v6, other, here := dial("192.0.2.7"), dial("2001:db8:1:2::7"), dial("2001:db8:1:3::7"), r.room("den", "", jsonHeader)
	if done := r.does(`{"act":"ban","address":"192.0.2.0/24"}`); done.Closed != 1 || len(done.Addresses) != 1 || done.Addresses[0] != "192.0.2.7" {
		t.Errorf("%+v", done)
	}
	closedWith(t, v4, "banned", "")
	if done := r.does(`{"act":"ban","address":"2001:db8:1:2::1"}`); done.Closed != 1 || done.Address != "2001:db8:1:2::/64" || done.Addresses[0] != "2001:db8:1:2::7" {
		t.Errorf("%+v", done)
	}
	closedWith(t, v6, "banned", "")
	if done := r.does(`{"act":"ban","address":"2001:db8:1:3::8/128"}`); done.Closed != 0 {
		t.Errorf("another address of a /64: %+v", done)
	}
	for ip, want := range map[string]int{"192.0.2.99": 403, "192.0.3.1": 200, "2001:db8:1:2:ffff::1": 403, "2001:db8:1:3::7": 200, "2001:db8:1:3::8": 403} {
		if status, _, body := r.do("GET", "/chat/room/den/messages", "", from(ip)); status != want {
			t.Errorf("%s: %d %s, want %d", ip, status, body, want)
		}
	}
	if status, _, _ := r.do("GET", "/chat/room/den/messages", ""); status != 200 {
		t.Errorf("this machine: %d", status)
	}
	for _, c := range []*edgetest.Client{other, here} {
		c.Text(`{"type":"ping"}`)
		c.JSONOf("pong")
	}
	r.refuses(`{"act":"ban","address":"127.0.0.1"}`, refusal.InvalidMessage, "this machine")
	r.refuses(`{"act":"ban","address":"::ffff:0:0/90"}`, refusal.InvalidMessage, "IPv4")
}

// TestBanBesideJoins: nobody slips in between a guard that lets him pass and a ban that looks who is there.
func TestBanBesideJoins(t *testing.T) {
	r := newRig(t)
	for round := range 20 {
		name := fmt.Sprintf("Bob%d", round)
		conns := make(chan *edgetest.Client, 8)
		for range cap(conns) {
			go func() {
				c := edgetest.TryDial(t, r.ws+"/chat/room/den?username="+name)
				conns <- c
			}()
		}
		r.does(`{"act":"ban","name":"` + name + `"}`)
		for range cap(conns) {
			if c := <-conns; c.Response.StatusCode == 101 {
				if code, reason := c.ExpectClose(); code != 1008 {
					t.Errorf("%s is in: %d %s", name, code, reason)
				}
			}
		}
	}
	eventually(t, "nobody there", func() bool {
		r.chat.here.mu.Lock()
		defer r.chat.here.mu.Unlock()
		return len(r.chat.here.list) == 0
	})
}
