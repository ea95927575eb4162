package chat

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

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

// overrun says four things at once, again until one of them is refused, and returns how long to wait then.
func overrun(c *edgetest.Client) (wait time.Duration) {
	c.T.Helper()
	for wait == 0 { // the machine may be so busy that it lets in one more
		c.Raw(bytes.Repeat(edgetest.Frame(edgetest.OpText, []byte(`{"type":"message","room":"den","content":"hi","idempotency_key":"k"}`)), 4))
		for answers := 0; answers < 4; {
			m := c.JSON()
			if m["code"] == "rate_limited" {
				wait = max(wait, time.Duration(m["retry_after_ms"].(float64))*time.Millisecond)
			}
			if m["type"] == "ack" || m["type"] == "error" {
				answers++
			}
		}
	}
	return wait
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
			time.Sleep(overrun(c))
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
