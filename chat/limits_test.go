package chat

import (
	"bytes"
	"fmt"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/internal/edgetest"
	"edgechat/limit"
)

// few is so many in an hour: none comes back while a test runs.
func few(n int) limit.Rate { return limit.Rate{N: 1, Per: time.Hour, Burst: n} }

func limited(l Limits) func(*setup) { return func(s *setup) { s.chat.Limits = l } }

// from is what a proxy on this machine says of its client.
func from(address string) string { return "X-Forwarded-For: " + address }

// eachClient runs a test for a client in one room and for one in several, in the room "den".
func eachClient(t *testing.T, test func(t *testing.T, enter func(r *rig) *edgetest.Client)) {
	t.Run("one room", func(t *testing.T) {
		test(t, func(r *rig) *edgetest.Client {
			c := r.room("den", "", jsonHeader)
			c.JSONOf("joined")
			return c
		})
	})
	t.Run("many rooms", func(t *testing.T) {
		test(t, func(r *rig) *edgetest.Client {
			c := r.many("")
			c.Text(`{"type":"join","room":"den"}`)
			c.JSONOf("joined")
			return c
		})
	})
}

// say sends a message and returns its ack, or its error.
func say(c *edgetest.Client, key, content string) map[string]any {
	c.T.Helper()
	c.Text(`{"type":"message","room":"den","content":"` + content + `","idempotency_key":"` + key + `"}`)
	for {
		m := c.JSON()
		if m["type"] != "ack" && m["type"] != "error" {
			continue
		}
		if m["idempotency_key"] != key {
			c.T.Fatalf("%v answers %s", m, key)
		}
		return m
	}
}

// TestMessageRate: what is over the burst is refused with the time that it takes, nothing of it is published, and
// after that time it is taken.
func TestMessageRate(t *testing.T) {
	eachClient(t, func(t *testing.T, enter func(r *rig) *edgetest.Client) {
		r := newRig(t, limited(Limits{Messages: few(5)}))
		c := enter(r)
		for i := range 5 {
			if m := say(c, fmt.Sprint(i), "hi"); m["type"] != "ack" {
				t.Fatalf("%d of the burst: %v", i, m)
			}
		}
		for range 3 {
			m := say(c, "more", "hi")
			wait, _ := m["retry_after_ms"].(float64)
			if m["code"] != "rate_limited" || wait <= 3500e3 || wait > 3600e3 || m["message"] == "" {
				t.Fatalf("%v", m)
			}
		}
		if head := r.store.Head("den"); head.Offset != 5 {
			t.Errorf("%d were published", head.Offset)
		}
		if n := r.stats().Limits.Messages; n != 3 {
			t.Errorf("%d refusals counted", n)
		}
		for range 100 { // typing and pings are no messages
			c.Text(`{"type":"ping"}`)
			c.JSONOf("pong")
		}
		if m := say(enter(r), "x", "another connection"); m["type"] != "ack" {
			t.Errorf("another connection: %v", m)
		}

		r = newRig(t, limited(Limits{Messages: limit.Rate{N: 1, Per: 300 * time.Millisecond, Burst: 2}}))
		c = enter(r)
		for range 3 {
			m := map[string]any{}
			for m["code"] != "rate_limited" {
				m = say(c, "k"+strconv.FormatUint(r.hub.Stats().Published, 10), "hi")
			}
			time.Sleep(time.Duration(m["retry_after_ms"].(float64)) * time.Millisecond)
			if m := say(c, "later", "hi"); m["type"] != "ack" {
				t.Errorf("after the wait: %v", m)
			}
		}
	})
}

// TestByteRate: all that a client sends counts, whatever it is.
func TestByteRate(t *testing.T) {
	eachClient(t, func(t *testing.T, enter func(r *rig) *edgetest.Client) {
		r := newRig(t, limited(Limits{Bytes: few(4000)}))
		c := enter(r)
		long := strings.Repeat("x", 3000)
		if m := say(c, "a", long); m["type"] != "ack" {
			t.Fatalf("%v", m)
		}
		if m := say(c, "b", long); m["code"] != "rate_limited" || m["retry_after_ms"].(float64) <= 0 {
			t.Errorf("%v", m)
		}
		c.Text(`{"type":"message","room":"den","content":1,"nonsense":"` + long + `"}`)
		if m := c.JSON(); m["code"] != "rate_limited" {
			t.Errorf("%v", m)
		}
		if n := r.stats().Limits.Bytes; n != 2 {
			t.Errorf("%d refusals counted", n)
		}
		if m := say(c, "c", "a little"); m["type"] != "ack" {
			t.Errorf("%v", m)
		}
	})
}

// TestGoesOn: who goes on sending though it is refused is closed with 1008.
func TestGoesOn(t *testing.T) {
	eachClient(t, func(t *testing.T, enter func(r *rig) *edgetest.Client) {
		r := newRig(t, limited(Limits{Messages: few(1)}))
		c := enter(r)
		for range 100 {
			say(c, "k", "hi") // the first is taken
		}
		flood := bytes.Repeat(edgetest.Frame(edgetest.OpText, []byte(`{"type":"message","room":"den","content":"hi"}`)), 2000)
		c.Raw(flood)
		if code, reason := c.ExpectClose(); code != 1008 || !strings.HasPrefix(reason, "rate_limited") {
			t.Errorf("closed with %d %q", code, reason)
		}
		if l := r.stats().Limits; l.Over != 1 || l.Messages < 100 || r.store.Head("den").Offset != 1 {
			t.Errorf("%+v", l)
		}
	})
}

// TestInvalidInARow: so many closes, one less does not, and a valid one between begins anew.
func TestInvalidInARow(t *testing.T) {
	eachClient(t, func(t *testing.T, enter func(r *rig) *edgetest.Client) {
		r := newRig(t, limited(Limits{Invalid: 20}))
		c := enter(r)
		bad := func(n int) {
			t.Helper()
			for range n {
				c.Text(`{"type":"nonsense"}`)
				if m := c.JSON(); m["code"] != "invalid_message" {
					t.Fatalf("%v", m)
				}
			}
		}
		for range 3 {
			bad(19)
			c.Text(`{"type":"ping"}`)
			c.JSONOf("pong")
		}
		bad(20)
		if code, reason := c.ExpectClose(); code != 1008 || !strings.HasPrefix(reason, "invalid_message") {
			t.Errorf("closed with %d %q", code, reason)
		}
		if n := r.stats().Limits.Invalid; n != 1 {
			t.Errorf("%d counted", n)
		}
	})
}

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
	token, err := auth.Create(path, "Ann", auth.Write, nil)
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
	if n := r.hub.Stats().Full; n != 6 {
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
