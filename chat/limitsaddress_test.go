package chat

import (
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/internal/edgetest"
)

// later checks an answer that says when to come back.
func later(t *testing.T, what string, resp *http.Response, status int, code string) {
	t.Helper()
	body := make([]byte, 1024)
	n, _ := resp.Body.Read(body)
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if resp.StatusCode != status || err != nil || seconds < 1 || !strings.Contains(string(body[:n]), `"code":"`+code+`"`) {
		t.Errorf("%s: %s, Retry-After %q, %s", what, resp.Status, resp.Header.Get("Retry-After"), body[:n])
	}
}

// TestJoinRate: joins of an address, by any way of joining.
func TestJoinRate(t *testing.T) {
	r := newRig(t, limited(Limits{Joins: few(6)}))
	for i := range 3 {
		r.room("den", "", from("192.0.2.1"), jsonHeader)
		c := r.many("", from("192.0.2.1"))
		c.Text(`{"type":"join","room":"den"}`)
		c.JSONOf("subscribed")
		if i < 2 {
			continue
		}
		c.Text(`{"type":"join","room":"attic"}`)
		if m := c.JSONOf("error"); m["code"] != "rate_limited" || m["room"] != "attic" || m["retry_after_ms"].(float64) < 3500e3 {
			t.Errorf("%v", m)
		}
	}
	later(t, "the seventh", edgetest.TryDial(t, r.ws+"/chat/room/den", from("192.0.2.1")).Response, 429, "rate_limited")
	r.room("den", "", from("192.0.2.2"))
	for range 20 {
		r.room("den", "")
	}
	if n := r.stats().Limits.Joins; n != 2 {
		t.Errorf("%d counted", n)
	}
}

// TestNewRoomRate: rooms are new until somebody is in them or something was said.
func TestNewRoomRate(t *testing.T) {
	r := newRig(t, limited(Limits{NewRooms: few(3)}))
	r.say("old", "hi")
	post := func(room string) (int, http.Header, string) {
		return r.do("POST", "/chat/room/"+room+"/messages", "hi", from("192.0.2.1"))
	}
	r.room("a", "", from("192.0.2.1"))
	c := r.many("", from("192.0.2.1"))
	c.Text(`{"type":"join","room":"b"}`)
	c.JSONOf("subscribed")
	if status, _, body := post("c"); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	for range 5 { // none of these is new
		for _, room := range []string{"a", "b", "c", "old"} {
			if status, _, body := post(room); status != 201 {
				t.Fatalf("%s: %d %s", room, status, body)
			}
		}
		r.room("c", "", from("192.0.2.1"))
		c.Text(`{"type":"join","room":"old"}`)
		c.JSONOf("subscribed")
		c.Text(`{"type":"leave","room":"old"}`)
		c.JSONOf("unsubscribed")
	}
	later(t, "a join", edgetest.TryDial(t, r.ws+"/chat/room/d", from("192.0.2.1")).Response, 429, "rate_limited")
	if status, h, body := post("d"); status != 429 || h.Get("Retry-After") == "" {
		t.Errorf("a message: %d %v %s", status, h, body)
	}
	c.Text(`{"type":"join","room":"d"}`)
	if m := c.JSONOf("error"); m["code"] != "rate_limited" {
		t.Errorf("%v", m)
	}
	if n := r.stats().Limits.NewRooms; n != 3 {
		t.Errorf("%d counted", n)
	}
	r.room("d", "", from("192.0.2.2"))
	r.room("d", "", from("192.0.2.1"))
}

// TestPostRate: messages over HTTP are those of an address.
func TestPostRate(t *testing.T) {
	r := newRig(t, limited(Limits{Messages: few(3), Bytes: few(2000)}))
	post := func(address, content string) (int, http.Header, string) {
		return r.do("POST", "/chat/room/den/messages", content, from(address))
	}
	for i, want := range []int{201, 201, 201, 429, 429} {
		status, h, body := post("2001:db8::"+strconv.Itoa(i), "hi") // one /64
		if status != want || status == 429 && (h.Get("Retry-After") == "" || !strings.Contains(body, `"rate_limited"`)) {
			t.Errorf("%d: %d %v %s", i, status, h, body)
		}
	}
	long := strings.Repeat("x", 1500)
	for i, want := range []int{201, 429} {
		if status, _, body := post("192.0.2.7", long); status != want {
			t.Errorf("%d: %d %s", i, status, body)
		}
	}
	if l := r.stats().Limits; l.Messages != 2 || l.Bytes != 1 {
		t.Errorf("%+v", l)
	}
}

// TestTokenFailures: who has guessed too often is not heard, even if it is right, and others are.
func TestTokenFailures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	token, err := auth.Create(path, auth.Grant{Name: "Ann", Access: auth.Write})
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
	r := newRig(t, limited(Limits{Failures: few(30)}), func(s *setup) { s.chat.Auth = checker })
	try := func(address, token string) int {
		c := edgetest.TryDial(t, r.ws+"/chat/room/den", from(address), "Authorization: Bearer "+token)
		if c.Response.StatusCode == 429 {
			later(t, address, c.Response, 429, "rate_limited")
		}
		return c.Response.StatusCode
	}
	for i := range 30 {
		if status := try("192.0.2.1", token); status != 101 {
			t.Fatalf("%d: a valid token gets %d", i, status)
		}
		if status := try("192.0.2.1", "edc_wrong"+strconv.Itoa(i)); status != 401 {
			t.Fatalf("%d: %d", i, status)
		}
	}
	for _, token := range []string{"edc_wrong", token} {
		if status := try("192.0.2.1", token); status != 429 {
			t.Errorf("after 30 failures: %d", status)
		}
	}
	r.room("den", "", from("192.0.2.1")) // without a token
	if status := try("192.0.2.2", token); status != 101 {
		t.Errorf("another address: %d", status)
	}
	if n := r.stats().Limits.Failures; n != 2 {
		t.Errorf("%d counted", n)
	}
}

// A slowLog has whoever reads wait.
type slowLog struct {
	hub.Log
	reading chan struct{}
	until   chan struct{}
}

func (l *slowLog) Read(room string, q codec.Query) (codec.Page, error) {
	l.reading <- struct{}{}
	<-l.until
	return l.Log.Read(room, q)
}

// TestHistoriesAtOnce: an address has two under way, and once one has ended may ask again.
func TestHistoriesAtOnce(t *testing.T) {
	slow := &slowLog{reading: make(chan struct{}, 100), until: make(chan struct{})}
	r := newRig(t, limited(Limits{Histories: 2}), func(s *setup) {
		s.log = func(l hub.Log) hub.Log { slow.Log = l; return slow }
	})
	r.say("den", "hi")
	ask := func(address string) (int, http.Header, string) {
		return r.do("GET", "/chat/room/den/messages", "", from(address))
	}
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if status, _, body := ask("192.0.2.1"); status != 200 {
				t.Errorf("%d %s", status, body)
			}
		})
		<-slow.reading
	}
	status, h, body := ask("192.0.2.1")
	if status != 429 || h.Get("Retry-After") != "1" || !strings.Contains(body, `"rate_limited"`) {
		t.Errorf("the third: %d %v %s", status, h, body)
	}
	wg.Go(func() {
		if status, _, body := ask("192.0.2.2"); status != 200 {
			t.Errorf("another address: %d %s", status, body)
		}
	})
	<-slow.reading
	close(slow.until)
	wg.Wait()
	if status, _, body := ask("192.0.2.1"); status != 200 {
		t.Errorf("after they have ended: %d %s", status, body)
	}
	if n := r.stats().Limits.Histories; n != 1 {
		t.Errorf("%d counted", n)
	}
}

// TestMembersPerRoom: a room that is full takes nobody, whichever way they come, until somebody has left.
func TestMembersPerRoom(t *testing.T) {
	r := newRig(t, func(s *setup) { s.hub.MembersPerRoom = 2 })
	first := r.room("den", "", jsonHeader)
	first.JSONOf("subscribed")
	c := r.many("")
	c.Text(`{"type":"join","room":"den"}`)
	c.JSONOf("subscribed")
	later(t, "the third", edgetest.TryDial(t, r.ws+"/chat/room/den").Response, 503, "room_full")
	other := r.many("")
	for range 3 {
		other.Text(`{"type":"join","room":"den"}`)
		if m := other.JSON(); m["code"] != "room_full" || m["room"] != "den" {
			t.Fatalf("%v", m)
		}
		other.Text(`{"type":"join","room":"den","since":"all"}`)
		if m := other.JSON(); m["code"] != "room_full" || m["room"] != "den" {
			t.Fatalf("%v", m)
		}
	}
	if n := r.hub.Stats().Full; n != 7 {
		t.Errorf("%d counted", n)
	}
	first.Close()
	c.JSONOf("left")
	other.Text(`{"type":"join","room":"den"}`)
	other.JSONOf("subscribed")
	other.Text(`{"type":"message","room":"den","content":"in"}`)
	if m := c.JSONOf("message"); m["content"] != "in" {
		t.Errorf("%v", m)
	}
}
