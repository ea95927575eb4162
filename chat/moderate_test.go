package chat

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"edgechat/auth"
	"edgechat/internal/edgetest"
	"edgechat/moderation"
	"edgechat/refusal"
)

// operator is who acts at the admin socket.
var operator = Moderator{By: "uid 0", Name: "admin"}

// does has an act done, which must be.
func (r *rig) does(act string) moderation.Done {
	r.t.Helper()
	a, err := moderation.ReadAct([]byte(act))
	if err != nil {
		r.t.Fatal(err)
	}
	done, err := r.chat.Moderate(r.t.Context(), operator, a)
	if err != nil {
		r.t.Fatalf("%s: %v", act, err)
	}
	return done
}

// refuses has one refused with a code.
func (r *rig) refuses(act string, code refusal.Code, want string) {
	r.t.Helper()
	a, err := moderation.ReadAct([]byte(act))
	if err == nil {
		_, err = r.chat.Moderate(r.t.Context(), operator, a)
	}
	if e, ok := err.(*refusal.Error); !ok || e.Code != code || !strings.Contains(e.Message, want) {
		r.t.Errorf("%s: %v, want %s with %q", act, err, code, want)
	}
}

// closedWith fails unless c is told why and closed with 1008.
func closedWith(t *testing.T, c *edgetest.Client, code, text string) {
	t.Helper()
	if m := c.JSONOf("error"); m["code"] != code || !strings.Contains(m["message"].(string), text) {
		t.Errorf("an error frame %v, want %s with %q", m, code, text)
	}
	if n, reason := c.ExpectClose(); n != 1008 || !strings.HasPrefix(reason, code+": ") {
		t.Errorf("closed with %d %q, want 1008 %s", n, reason, code)
	}
}

// moderated is a rig with tokens: Mod moderates, Ann writes, Lab moderates rooms that begin with lab.
func moderated(t *testing.T) (r *rig, header func(name string) string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	tokens := map[string]string{}
	for name, give := range map[string]struct {
		access auth.Access
		rooms  []string
	}{"Mod": {auth.Moderate, nil}, "Ann": {auth.Write, nil}, "Lab": {auth.Moderate, []string{"lab*"}}} {
		var err error
		if tokens[name], err = auth.Create(path, name, give.access, give.rooms); err != nil {
			t.Fatal(err)
		}
	}
	file, err := auth.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	checker, err := auth.New(auth.Config{Tokens: file, Anonymous: auth.Write})
	if err != nil {
		t.Fatal(err)
	}
	return newRig(t, func(s *setup) { s.chat.Auth = checker }), func(name string) string { return "Authorization: Bearer " + tokens[name] }
}

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

// TestMuteSlowReadOnly: who may not write is told why, over WebSocket and HTTP, and reads on; moderators write.
func TestMuteSlowReadOnly(t *testing.T) {
	r, header := moderated(t)
	bob := r.room("den", "username=Bob", jsonHeader)
	ann := r.room("den", "", jsonHeader, header("Ann"))
	mod := r.room("den", "", jsonHeader, header("Mod"))
	many := edgetest.Dial(t, r.ws+"/chat?username=Bob", jsonHeader)
	many.Text(`{"type":"join","room":"den"}`)
	for _, c := range []*edgetest.Client{bob, ann, mod, many} {
		c.JSONOf("subscribed")
	}
	n := 0
	says := func(c *edgetest.Client, want string) map[string]any {
		t.Helper()
		n++
		c.Text(fmt.Sprintf(`{"type":"message","room":"den","content":"x","idempotency_key":"k%d"}`, n))
		kind := "ack"
		if want != "" {
			kind = "error"
		}
		m := c.JSONOf(kind)
		if want != "" && (m["code"] != want || m["idempotency_key"] != fmt.Sprintf("k%d", n)) {
			t.Errorf("message %d: %v, want %s", n, m, want)
		}
		return m
	}
	posts := func(want int, code string, headers ...string) {
		t.Helper()
		status, h, body := r.do("POST", "/chat/room/den/messages?username=Bob", "hi", headers...)
		if got, _ := errorOf(body); status != want || got != code || want == 429 && h.Get("Retry-After") == "" {
			t.Errorf("POST: %d %v %s, want %d %s", status, h, body, want, code)
		}
	}
	r.does(`{"act":"mute","room":"den","name":"Bob","for":"10m"}`)
	if m := says(bob, "muted"); m["retry_after_ms"].(float64) < 500*1000 {
		t.Errorf("%v", m)
	}
	if m := says(many, "muted"); m["room"] != "den" {
		t.Errorf("%v", m)
	}
	bob.Text(`{"type":"typing"}`)
	bob.JSONOf("error")
	posts(403, "muted")
	if status, _, _ := r.do("GET", "/chat/room/den/messages?username=Bob", ""); status != 200 {
		t.Errorf("who is muted reads %d", status)
	}
	id := says(ann, "")["id"].(string)
	r.does(`{"act":"unmute","room":"den","name":"Bob"}`)
	says(bob, "")
	r.does(`{"act":"mute","identity":"Ann"}`)
	says(ann, "muted")
	ann.Text(`{"type":"delete","id":"` + id + `"}`)
	ann.JSONOf("error")
	posts(403, "muted", header("Ann"))
	r.does(`{"act":"unmute","identity":"Ann"}`)

	r.does(`{"act":"read-only","room":"den"}`)
	says(bob, "read_only")
	says(ann, "read_only")
	says(mod, "")
	posts(403, "read_only")
	r.does(`{"act":"read-only","room":"den","off":true}`)
	says(bob, "")

	r.does(`{"act":"slow","room":"den","every":"1h"}`)
	says(bob, "")
	if m := says(bob, "slow_mode"); m["retry_after_ms"].(float64) < 3500*1000 {
		t.Errorf("%v", m)
	}
	says(many, "slow_mode") // the same name, from the same address
	posts(429, "slow_mode")
	says(ann, "")
	says(ann, "slow_mode")
	says(mod, "")
	says(mod, "")
	r.does(`{"act":"slow","room":"den","every":"2h"}`)
	says(bob, "slow_mode")
	r.does(`{"act":"slow","room":"den","off":true}`)
	says(bob, "")
	s := r.stats().Moderation
	for _, code := range []refusal.Code{refusal.Muted, refusal.ReadOnly, refusal.SlowMode} {
		if s.Refused[code] < 3 {
			t.Errorf("%s: %d counted", code, s.Refused[code])
		}
	}
}

// TestModeratorOverHTTP: an identity with access moderate acts in its rooms, and nobody else does.
func TestModeratorOverHTTP(t *testing.T) {
	r, header := moderated(t)
	bob := r.room("lab-1", "username=Bob", jsonHeader)
	bob.JSONOf("subscribed")
	const ban = `{"act":"ban","name":"Bob","for":"7d"}`
	for _, test := range []struct {
		who, path, body string
		status          int
		code            string
	}{
		{"", "/chat/room/lab-1/moderation", ban, 401, "unauthorized"},
		{"Ann", "/chat/room/lab-1/moderation", ban, 403, "forbidden"},
		{"Lab", "/chat/room/den/moderation", ban, 403, "forbidden"},
		{"Lab", "/chat/moderation", ban, 403, "forbidden"},
		{"Lab", "/chat/room/lab-1/moderation", `{"act":"ban","name":"Bob","room":"den"}`, 400, "invalid_message"},
		{"Lab", "/chat/room/lab-1/moderation", `{"act":"ban","nmae":"Bob"}`, 400, "invalid_message"},
		{"Lab", "/chat/room/lab-1/moderation", ban + strings.Repeat(" ", maxAct), 413, "too_large"},
		{"Lab", "/chat/room/lab-1/moderation", ban, 200, ""},
		{"Mod", "/chat/moderation", `{"act":"mute","identity":"Ann"}`, 200, ""},
	} {
		var headers []string
		if test.who != "" {
			headers = append(headers, header(test.who))
		}
		status, _, body := r.do("POST", test.path, test.body, headers...)
		if code, _ := errorOf(body); status != test.status || code != test.code {
			t.Errorf("%s %s %.80s: %d %s, want %d %s", test.who, test.path, test.body, status, body, test.status, test.code)
		}
	}
	closedWith(t, bob, "banned", "for another 7 days")
	var list struct{ Rules []moderation.Rule }
	for path, want := range map[string]int{"/chat/room/lab-1/moderation": 1, "/chat/moderation": 2} {
		status, _, body := r.do("GET", path, "", header("Mod"))
		if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 || len(list.Rules) != want || list.Rules[0].By != "token Lab" {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, _, _ := r.do("GET", "/chat/room/lab-1/moderation", "", header("Ann")); status != 403 {
		t.Errorf("Ann sees the rules: %d", status)
	}
	// Who moderates is not kept out by a name or an address, but by his token.
	r.does(`{"act":"ban","name":"Lab"}`)
	lab := r.room("lab-1", "", jsonHeader, header("Lab"))
	lab.JSONOf("subscribed")
	if c := edgetest.TryDial(t, r.ws+"/chat/room/den?username=Lab"); c.Response.StatusCode != 403 {
		t.Errorf("the name without the token: %s", c.Response.Status)
	}
	r.does(`{"act":"ban","identity":"Lab"}`)
	closedWith(t, lab, "banned", "")
	if status, _, _ := r.do("POST", "/chat/room/lab-1/moderation", `{"act":"unban","identity":"Lab"}`, header("Lab")); status != 403 {
		t.Errorf("who is banned acts: %d", status)
	}
}

// TestCloseRoom: all are out, what was said is no more, and the room may be entered again, at once or when it is opened.
func TestCloseRoom(t *testing.T) {
	r := newRig(t, func(s *setup) { s.store.History = 50 })
	for i := range 60 {
		id := r.say("den", fmt.Sprintf("secret %d", i))
		if i%20 == 15 { // some are edited, and displaced before their edit is
			r.do("PATCH", "/chat/room/den/messages/"+id.String(), "secret edit", "Author-Key: none")
		}
	}
	author := "Author-Key: a"
	_, _, body := r.do("POST", "/chat/room/den/messages", "secret first", author)
	var first struct{ ID string }
	if err := json.Unmarshal([]byte(body), &first); err != nil {
		t.Fatal(err)
	}
	for i := range 48 {
		r.say("den", fmt.Sprintf("secret %d", i))
	}
	if status, _, body := r.do("PATCH", "/chat/room/den/messages/"+first.ID, "secret edit", author); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	r.say("den", "secret last") // displaces what was edited, and not the edit
	ann := r.room("den", "username=Ann", jsonHeader)
	ann.JSONOf("subscribed")
	many := edgetest.Dial(t, r.ws+"/chat?username=Ann", jsonHeader)
	many.Text(`{"type":"join","room":"den"}`)
	many.JSONOf("subscribed")
	done := r.does(`{"act":"close","room":"den","reason":"enough"}`)
	if done.Closed != 2 || done.Deleted < 49 || !done.Durable {
		t.Errorf("%+v", done)
	}
	closedWith(t, ann, "room_closed", "a moderator has closed this room: enough")
	if m := many.JSONOf("error"); m["code"] != "room_closed" || m["room"] != "den" {
		t.Errorf("%v", m)
	}
	if _, _, page := r.do("GET", "/chat/room/den/messages?limit=300", ""); strings.Contains(page, "secret") || !strings.Contains(page, `"type":"deleted"`) {
		t.Errorf("a page: %.2000s", page)
	}
	again := r.room("den", "username=Ann&since=all", jsonHeader)
	again.JSONOf("subscribed")

	r.does(`{"act":"close","room":"den","for":"1h"}`)
	closedWith(t, again, "room_closed", "for another 1h")
	if c := edgetest.TryDial(t, r.ws+"/chat/room/den"); c.Response.StatusCode != 403 {
		t.Errorf("a room that is closed: %s", c.Response.Status)
	}
	if status, _, body := r.do("POST", "/chat/room/den/messages", "x"); status != 403 || !strings.Contains(body, "room_closed") {
		t.Errorf("a post there: %d %s", status, body)
	}
	r.does(`{"act":"open","room":"den"}`)
	r.room("den", "", jsonHeader).JSONOf("subscribed")
	r.refuses(`{"act":"open","room":"den"}`, refusal.NotFound, "")
}

// TestDeleteFor: a moderator deletes what somebody else has said.
func TestDeleteFor(t *testing.T) {
	r := newRig(t)
	id := r.say("den", "secret").String()
	ann := r.room("den", "username=Ann", jsonHeader)
	ann.JSONOf("subscribed")
	if done := r.does(`{"act":"delete","room":"den","id":"` + id + `"}`); !done.Durable || done.Deleted != 1 {
		t.Errorf("%+v", done)
	}
	if m := ann.JSONOf("deleted"); m["target"] != id || m["username"] != "admin" {
		t.Errorf("%v", m)
	}
	r.refuses(`{"act":"delete","room":"den","id":"`+id+`"}`, refusal.NotFound, "deleted")
	r.refuses(`{"act":"delete","room":"den","id":"?"}`, refusal.InvalidQuery, "id")
	r.refuses(`{"act":"ban","name":"\u0000"}`, refusal.InvalidUsername, "")
	r.refuses(`{"act":"close","room":"a b"}`, refusal.InvalidRoom, "")
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
