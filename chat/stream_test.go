package chat

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// TestStream: a stream has what a WebSocket has, byte for byte, and nobody hears of it.
func TestStream(t *testing.T) {
	both(t, func(t *testing.T, headers []string) {
		r := newRig(t)
		r.say("den", "before")
		x := r.stream("den", "/events?username=Ann", headers...)
		if h := x.resp.Header; h.Get("Cache-Control") != "no-store, no-transform" || h.Get("X-Accel-Buffering") != "no" || h.Get("Date") == "" ||
			h.Get("X-Content-Type-Options") != "nosniff" || x.resp.ContentLength != -1 || !x.resp.Close {
			t.Errorf("%v", h)
		}
		m := x.of("subscribed")
		if m["offset"] != 1.0 || m["members"] != 0.0 || m["username"] != "Ann" || m["was_recovering"] != false || x.events && (x.id != m["id"] || x.retry == "") {
			t.Errorf("subscribed: %v, id %s, retry %s", m, x.id, x.retry)
		}
		c := r.room("den", "username=Bob", jsonHeader)
		if m := c.JSONOf("subscribed"); m["members"] != 1.0 {
			t.Errorf("a reader is counted: %v", m)
		}
		x.of("joined")
		if _, _, body := r.do("GET", "/chat/room/den/members", ""); strings.Contains(body, "Ann") || !strings.Contains(body, "Bob") {
			t.Errorf("members: %s", body)
		}
		c.JSONOf("joined")
		c.Text(`{"type":"message","content":"line\nline\r\u2028","author_key":"k"}`)
		c.Text(`{"type":"typing"}`)
		live := string(c.Expect(edgetest.OpText))
		said, raw := x.next()
		if raw != live || x.events && x.id != said["id"] {
			t.Errorf("%s, and over WebSocket %s; id %s", raw, live, x.id)
		}
		x.of("typing")
		c.JSONOf("typing")
		for _, revision := range []string{`{"type":"edit","content":"ho","id":%q}`, `{"type":"delete","id":%q}`} {
			c.Text(fmt.Sprintf(revision, said["id"]))
			live = string(c.Expect(edgetest.OpText))
			if m, raw := x.next(); raw != live || x.events && x.id != m["id"] {
				t.Errorf("%s, and over WebSocket %s; id %s", raw, live, x.id)
			}
		}
		if s := r.rt.Stats(); s.Feeds != 1 || s.FeedsOpened != 1 || s.Open != 1 || s.Accepted != 1 || s.Plain > 2 {
			t.Errorf("%+v", s)
		}
		x.close()
		eventually(t, "the stream is over", func() bool { s := r.rt.Stats(); return s.Feeds == 0 && s.FeedsClosedBy[1006] == 1 })
		eventually(t, "nobody is quiet", func() bool { return r.hub.Stats().Quiet == 0 })
	})
}

// TestStreamAnnounced: a reader that asks for it is a member as others are.
func TestStreamAnnounced(t *testing.T) {
	r := newRig(t)
	c := r.room("den", "username=Bob")
	c.JSONOf("joined")
	x := r.stream("den", "/events?username=Ann&announce=1")
	if m := x.of("subscribed"); m["members"] != 2.0 {
		t.Errorf("%v", m)
	}
	expect(t, c, "joined", "username", "Ann")
	x.close()
	expect(t, c, "left", "username", "Ann")
}

// TestStreamResumes: from the header, or else the query, on; what is missing is marked, and nothing is silently.
func TestStreamResumes(t *testing.T) {
	both(t, func(t *testing.T, headers []string) {
		r := newRig(t, func(s *setup) { s.store.History = 5 })
		id := func(n int) string {
			return strings.TrimSuffix(r.store.Head("den").String(), fmt.Sprint(r.store.Head("den").Offset)) + fmt.Sprint(n)
		}
		for n := range 10 {
			r.say("den", fmt.Sprint("m", n+1))
		}
		for _, test := range []struct {
			query, header string
			first         int // message; 0 is none
			gap           bool
		}{
			{"?since=" + id(8), "", 9, false},
			{"?since=" + id(10), "", 0, false},
			{"", id(7), 8, false},
			{"?since=" + id(9), id(7), 8, false}, // EventSource says both
			{"?since=all", id(9), 10, false},
			{"?since=all", "", 6, false},
			{"?since=all&limit=2", "", 9, false},
			{"?since=" + id(2), "", 6, true},
			{"", id(2), 6, true},
			{"?since=" + id(6) + "&limit=1", "", 10, true},
			{"?since=unheard-3", "", 6, true},
		} {
			all := headers
			if test.header != "" {
				all = append([]string{"Last-Event-ID: " + test.header}, headers...)
			}
			x := r.stream("den", "/events"+test.query, all...)
			m := x.of("subscribed")
			if m["recovered"] != (m["was_recovering"] == true && !test.gap) || x.id != "" {
				t.Errorf("%+v: %v, id %q", test, m, x.id)
			}
			if test.gap {
				if m := x.of("gap"); m["oldest"] != id(6) || m["since"] == nil {
					t.Errorf("%+v: %v", test, m)
				}
			}
			for n := test.first; n > 0 && n <= 10; n++ {
				if m := x.of("message"); m["offset"] != float64(n) {
					t.Errorf("%+v: %v in place of %d", test, m, n)
				}
			}
			x.close()
		}
		x := r.stream("den", "/messages?since="+id(9), "Accept: text/event-stream") // where the history is as well
		x.of("subscribed")
		x.of("message")
		if !x.events {
			t.Error("no event stream")
		}
	})
}

// TestStreamBeat: each ping interval has a sign of life, whatever else is said.
func TestStreamBeat(t *testing.T) {
	both(t, func(t *testing.T, headers []string) {
		r := newRig(t, func(s *setup) { s.ws.PingInterval = 200 * time.Millisecond })
		x := r.stream("den", "/events", headers...)
		x.of("subscribed")
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(1100 * time.Millisecond) // five intervals and more
			r.say("den", "end")
		}()
		x.of("message")
		<-done
		if x.pings < 3 {
			t.Errorf("%d pings in five intervals", x.pings)
		}
	})
}
