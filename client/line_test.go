package client

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edgechat/internal/edgetest"
)

const welcome = `{"type":"subscribed","room":"den","id":"e-7","offset":7,"was_recovering":false,"recovered":false,"username":"Ann","members":1,"max_content_bytes":4096,"ping_interval_ms":25000}`

// A stage hands a Room connections of which the test plays the server, in a bubble's time.
type stage struct {
	t     *testing.T
	conns chan net.Conn
	lost  []string
	waits []time.Duration
}

func newStage(t *testing.T) *stage { return &stage{t: t, conns: make(chan net.Conn, 1)} }

// join begins a Room; nothing it says is looked at before accept.
func (s *stage) join(cfg Config) chan *Room {
	s.t.Helper()
	cfg.URL, cfg.Room = "http://pi", "den"
	cfg.Dial = func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		s.conns <- there
		return here, nil
	}
	cfg.OnLost = func(err error, wait time.Duration) {
		s.lost, s.waits = append(s.lost, err.Error()), append(s.waits, wait)
	}
	joined := make(chan *Room, 1)
	go func() {
		r, err := Join(s.t.Context(), cfg)
		if err != nil {
			s.t.Errorf("Join: %v", err)
		}
		joined <- r
	}()
	return joined
}

// accept answers the next handshake, and sends these frames.
func (s *stage) accept(frames ...string) (c *edgetest.Client, query string) {
	s.t.Helper()
	c = edgetest.NewClient(s.t, <-s.conns)
	c.Timeout = 10 * time.Minute
	head := request(s.t, c.Conn)
	key := header(head, "Sec-WebSocket-Key")
	c.Raw([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: edgechat.v1.json\r\nSec-WebSocket-Accept: " + accepted(key) + "\r\n\r\n"))
	for _, f := range frames {
		c.Raw(unmasked(edgetest.OpText, f))
	}
	line, _, _ := strings.Cut(head, "\r\n")
	return c, line
}

// A dead line is asked after a ping interval of silence and replaced 5 s later, with the cursor.
func TestDeadLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		joined := s.join(Config{Username: "Ann"})
		began := time.Now()
		c, query := s.accept(welcome)
		r := <-joined
		if want := "GET /chat/room/den?username=Ann HTTP/1.1"; query != want {
			t.Errorf("it asked %q, want %q", query, want)
		}
		if p := receive(t, c); string(p) != `{"type":"ping"}` || time.Since(began) != 25*time.Second {
			t.Errorf("after %v it said %q", time.Since(began), p)
		}
		c.Raw(unmasked(edgetest.OpText, `{"type":"pong"}`))
		time.Sleep(20 * time.Second)
		c.Raw(unmasked(edgetest.OpPing, "x")) // any byte is a sign of life
		if op, p := frameOf(t, c); op != edgetest.OpPong || string(p) != "x" {
			t.Errorf("a ping was answered with %x %q", op, p)
		}
		began = time.Now()
		c.Raw(unmasked(edgetest.OpText, `{"type":"message","username":"Bob","content":"hi","id":"e-8","offset":8}`))
		if p := receive(t, c); string(p) != `{"type":"ping"}` || time.Since(began) != 25*time.Second {
			t.Errorf("after %v it said %q", time.Since(began), p)
		}
		if _, _, err := c.Read(); err == nil || time.Since(began) != 30*time.Second {
			t.Errorf("the connection ended after %v: %v", time.Since(began), err)
		}
		_, query = s.accept(welcome)
		if !strings.HasPrefix(query, "GET /chat/room/den?since=e-8&username=Ann ") {
			t.Errorf("it came back with %q", query)
		}
		if len(s.lost) != 1 || !strings.Contains(s.lost[0], "nothing was heard for 30s") {
			t.Errorf("%q", s.lost)
		}
		r.Close()
	})
}

// A message that is not acknowledged in time is sent again on another connection, under the same key.
func TestAckTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		joined := s.join(Config{Username: "Ann", WriteOnly: true})
		c, query := s.accept(welcome)
		if !strings.Contains(query, "announce=0") {
			t.Errorf("it asked %q", query)
		}
		r := <-joined
		acked := make(chan Ack)
		go func() { acked <- say(t, r, "hi") }()
		began := time.Now()
		first := receive(t, c)
		conn := c.Conn
		go func() { // the server hears, and says nothing of this message
			for range 20 {
				time.Sleep(time.Second)
				_, _ = conn.Write(unmasked(edgetest.OpText, `{"type":"typing","username":"Bob"}`))
			}
		}()
		c, _ = s.accept(welcome)
		if waited := time.Since(began); waited < 15*time.Second || waited > 17*time.Second {
			t.Errorf("it came back after %v", waited)
		}
		again := receive(t, c)
		if string(first) != string(again) || !strings.Contains(string(first), `"content":"hi","idempotency_key":"`) {
			t.Errorf("%q, and then %q", first, again)
		}
		var f struct {
			Key string `json:"idempotency_key"`
		}
		if err := json.Unmarshal(first, &f); err != nil {
			t.Fatal(err)
		}
		c.Raw(unmasked(edgetest.OpText, `{"type":"ack","idempotency_key":"`+f.Key+`","id":"e-9","offset":9,"durable":true}`))
		if ack := <-acked; ack != (Ack{"e-9", 9, true}) {
			t.Errorf("%+v", ack)
		}
		r.Close()
		time.Sleep(time.Minute) // the other side of the first connection
	})
}

// Who is told when to come back does; the waits grow, and are not all the same.
func TestBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		joined := s.join(Config{})
		for range 8 {
			c := <-s.conns
			_ = request(t, c)
			_, _ = c.Write([]byte("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nConnection: close\r\n\r\n" + `{"error":{"code":"unavailable","message":"the server is restarting"}}`))
			_ = c.Close()
		}
		_, _ = s.accept(welcome)
		(<-joined).Close()
		for i, wait := range s.waits {
			if wait < 7*time.Second || wait > 30*time.Second || !strings.Contains(s.lost[i], "503 unavailable: the server is restarting") {
				t.Errorf("wait %d is %v, for %q", i, wait, s.lost[i])
			}
		}
		if len(s.waits) != 8 {
			t.Errorf("%v", s.waits)
		}
		var r Room
		if _, err := r.cfg.complete(); err == nil {
			t.Error("no URL was taken")
		}
		r.cfg.BackoffMin, r.cfg.BackoffMax = DefaultBackoffMin, DefaultBackoffMax
		longest := time.Duration(0)
		for i := range 200 {
			wait := r.backoff()
			if i == 0 && wait > time.Second || wait < DefaultBackoffMin || wait > DefaultBackoffMax {
				t.Fatalf("wait %d is %v", i, wait)
			}
			longest = max(longest, wait)
		}
		if longest < 10*time.Second {
			t.Errorf("the longest of 200 waits is %v", longest)
		}
	})
}

// A moderator's word ends the Room, and so does a close with 1008; a slow line, or a frame that is none, only
// the connection.
func TestEnds(t *testing.T) {
	for _, c := range []struct {
		name, sent string
		code       string // of the refusal; "" if the Room comes back
	}{
		{"kicked", string(unmasked(edgetest.OpText, `{"type":"error","code":"kicked","message":"spam"}`)), "kicked"},
		{"closed", string(unmasked(edgetest.OpClose, "\x03\xf0banned: for an hour")), "banned"},
		{"slow", string(unmasked(edgetest.OpClose, "\x03\xf0message_timeout: a message took longer")), ""},
		{"restart", string(unmasked(edgetest.OpClose, "\x03\xf4restarting")), ""},
		{"negative", "\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				joined := s.join(Config{})
				conn, _ := s.accept(welcome)
				r := <-joined
				go func() { _, _, _ = conn.Read() }() // the answer to a close frame
				conn.Raw([]byte(c.sent))
				if c.code == "" {
					_, query := s.accept(welcome)
					if !strings.Contains(query, "since=e-7") {
						t.Errorf("it came back with %q", query)
					}
					r.Close()
				}
				var last error
				for _, err := range r.Events() {
					last = err
				}
				e, refused := errors.AsType[*Refusal](last)
				if refused != (c.code != "") || refused && e.Code != c.code {
					t.Errorf("it ended with %v", last)
				}
				r.Close()
			})
		})
	}
}
