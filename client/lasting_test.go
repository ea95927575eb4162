package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/server"
)

// lineOfRoom returns the connection of a Room that is in.
func lineOfRoom(r *Room) *line {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.line
}

// TestLimitOnce: a limit is of what was said before; of what was said while the line was away nothing is missing.
func TestLimitOnce(t *testing.T) {
	b := newBoard(t, server.Config{})
	w := in(t, Config{URL: b.url, Username: "Bob", WriteOnly: true})
	say(t, w, "old")
	var away atomic.Bool
	r := in(t, Config{URL: b.url, Since: All, Limit: 2, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if away.Load() {
			return nil, errors.New("no network")
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}})
	hear(t, r, 1, Message)
	away.Store(true)
	lineOfRoom(r).cut(errors.New("lost network"))
	for i := range 5 {
		say(t, w, fmt.Sprint("m", i))
	}
	away.Store(false)
	for i, e := range hear(t, r, 5, Message, Gap) {
		if e.Type == Gap || e.Content != fmt.Sprint("m", i) {
			t.Errorf("event %d is %s %q", i, e.Type, e.Content)
		}
	}
}

// TestGapOnce: what a server has lost is told once, and not with each connection.
func TestGapOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lost = `{"type":"subscribed","room":"den","id":"f-0","offset":0,"was_recovering":true,"recovered":false,"username":"Ann","members":1,"max_content_bytes":4096,"ping_interval_ms":25000}`
		s := newStage(t)
		joined := s.join(Config{Since: "e-7"})
		c, query := s.accept(lost)
		if !strings.Contains(query, "since=e-7 ") {
			t.Error(query)
		}
		r := <-joined
		hear(t, r, 1, Gap)
		_ = c.Conn.Close()
		if _, query = s.accept(welcome); !strings.Contains(query, "since=f-0 ") {
			t.Error(query)
		}
		r.Close()
	})
}

// TestLastWord: what a proxy or the page of a Wi-Fi answers is no last word for who was in; for who never was it is one.
func TestLastWord(t *testing.T) {
	for _, answer := range []string{
		"302 Found\r\nLocation: http://portal/\r\nContent-Length: 0", "200 OK\r\nContent-Length: 0",
		"404 Not Found\r\nContent-Length: 0", "407 Proxy Authentication Required\r\nContent-Length: 0",
	} {
		for _, was := range []bool{true, false} {
			t.Run(fmt.Sprint(answer[:3], " was in ", was), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newStage(t)
					r, failed := make(chan *Room, 1), make(chan error, 1)
					go func() {
						room, err := Join(t.Context(), Config{URL: "http://pi", Room: "den", Dial: func(context.Context, string, string) (net.Conn, error) {
							here, there := net.Pipe()
							s.conns <- there
							return here, nil
						}})
						r <- room
						failed <- err
					}()
					if was {
						c, _ := s.accept(welcome)
						_ = c.Conn.Close()
					}
					n := <-s.conns
					_ = request(t, n)
					_, _ = n.Write([]byte("HTTP/1.1 " + answer + "\r\nConnection: close\r\n\r\n"))
					_ = n.Close()
					if !was {
						if err := <-failed; err == nil {
							t.Error("it is in")
						}
						return
					}
					s.accept(welcome)
					(<-r).Close()
				})
			})
		}
	}
}

// TestCloseWhileWriting: the server's last word counts, though a write fails by it first.
func TestCloseWhileWriting(t *testing.T) {
	s := newStage(t)
	joined := s.join(Config{Username: "Ann", WriteOnly: true})
	c, _ := s.accept(welcome)
	r := <-joined
	told := make(chan error, 1)
	go func() { _, err := r.Publish(t.Context(), "nobody reads it"); told <- err }()
	for sent := false; !sent; time.Sleep(time.Millisecond) {
		r.mu.Lock()
		sent = len(r.pending) > 0 && r.pending[0].sent
		r.mu.Unlock()
	}
	c.Raw(unmasked(edgetest.OpClose, "\x03\xf0banned: for an hour")) // which is read while the write is stuck
	_ = c.Conn.Close()
	if err := <-told; !isRefusal(err, "banned") {
		t.Errorf("%v, lost %q", err, s.lost)
	}
	r.Close()
}

// TestWriteOnlyCursor: who hands out nothing asks for nothing.
func TestWriteOnlyCursor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		joined := s.join(Config{WriteOnly: true})
		c, _ := s.accept(welcome)
		r := <-joined
		_ = c.Conn.Close()
		if _, query := s.accept(welcome); strings.Contains(query, "since") {
			t.Error(query)
		}
		r.Close()
	})
}

// TestMembersEnd: who asks who is here of a server that says nothing waits for the context, the Room, or half a minute.
func TestMembersEnd(t *testing.T) {
	for _, c := range []struct {
		name string
		end  func(r *Room, cancel func())
		took time.Duration
	}{
		{"context", func(_ *Room, cancel func()) { cancel() }, time.Second},
		{"Close", func(r *Room, _ func()) { r.Close() }, time.Second},
		{"by itself", func(*Room, func()) {}, handshakeTimeout},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				joined := s.join(Config{})
				conn, _ := s.accept(welcome)
				r := <-joined
				go func() {
					for { // pings are answered
						if op, _, err := readFrame(conn); err != nil {
							return
						} else if op == edgetest.OpText {
							conn.Raw(unmasked(edgetest.OpText, `{"type":"pong"}`))
						}
					}
				}()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go func() { n := <-s.conns; _ = request(t, n) }()
				began := time.Now()
				go func() { time.Sleep(time.Second); c.end(r, cancel) }()
				_, err := r.Members(ctx)
				if took := time.Since(began); took != c.took || !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v after %v", err, took)
				}
				r.Close()
			})
		})
	}
}

// TestCloseTime: a peer that takes nothing holds up whoever leaves for a second.
func TestCloseTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		joined := s.join(Config{})
		s.accept(welcome)
		r := <-joined
		began := time.Now()
		r.Close()
		if took := time.Since(began); took > closeTimeout {
			t.Errorf("it took %v", took)
		}
	})
}
