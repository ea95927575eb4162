package ws

import (
	"context"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
)

// A pipeListener hands out one end of a net.Pipe for each that it is given:
// sockets would not stand still in a synctest bubble.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// inBubble runs f with a client of the React route of echo over a pipe, in a
// bubble of its own time.
func inBubble(t *testing.T, cfg Config, f func(t *testing.T, rt *Router, c *edgetest.Client, ends chan error)) {
	cfg.driver = goroutineDriver // a loop that waits in epoll_wait(2) would hold the bubble's time
	synctest.Test(t, func(t *testing.T) {
		rt := newRouter(t, cfg)
		ends := make(chan error, 1)
		React(rt, Route[string]{Path: "/", Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) {
			return &echoSession{c, ends}, nil
		}})
		l := &pipeListener{make(chan net.Conn, 1), make(chan struct{})}
		srv := &http.Server{Handler: rt}
		go func() { _ = srv.Serve(l) }()
		near, far := net.Pipe()
		l.conns <- far
		c := edgetest.NewClient(t, near)
		c.Timeout = 24 * time.Hour
		c.Raw([]byte("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
		c.ReadResponse()
		f(t, rt, c, ends)
		_ = near.Close()
		_ = srv.Close()
		if err := rt.Shutdown(context.Background(), refusal.CloseServiceRestart, ""); err != nil {
			t.Error(err)
		}
	})
}

// TestSilentPeer: pinged after 25 s, dropped after 50.
func TestSilentPeer(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, rt *Router, c *edgetest.Client, ends chan error) {
		start := time.Now()
		c.Expect(edgetest.OpPing)
		if d := time.Since(start); d < 24*time.Second || d > 27*time.Second {
			t.Errorf("pinged after %v", d)
		}
		if code, reason := c.ExpectClose(); code != refusal.CloseGoingAway {
			t.Errorf("closed with %d %q", code, reason)
		}
		if d := time.Since(start); d < 49*time.Second || d > 53*time.Second {
			t.Errorf("dropped after %v", d)
		}
		<-ends
		if rt.Stats().Silent != 1 {
			t.Error("not counted")
		}
	})
}

// TestLivePeer: one that answers pings, and says nothing else, stays.
func TestLivePeer(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, rt *Router, c *edgetest.Client, ends chan error) {
		start := time.Now()
		for range 100 {
			c.Raw(edgetest.Frame(edgetest.OpPong, c.Expect(edgetest.OpPing)))
		}
		if d := time.Since(start); d < 100*24*time.Second || d > 100*27*time.Second {
			t.Errorf("100 pings took %v", d)
		}
		if rt.Stats().Open != 1 {
			t.Error("dropped")
		}
	})
}

// TestSlowOverPipe: where a write cannot be tried, as with TLS, a peer that
// takes nothing is cut too.
func TestSlowOverPipe(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, rt *Router, c *edgetest.Client, ends chan error) {
		start := time.Now()
		c.Text("an echo that nobody reads")
		<-ends
		if d := time.Since(start); d < 10*time.Second || d > 13*time.Second {
			t.Errorf("cut after %v", d)
		}
		if rt.Stats().Slow != 1 {
			t.Error("not counted")
		}
	})
}

// TestCloseTimeout: a peer that does not answer a close frame is cut after a second.
func TestCloseTimeout(t *testing.T) {
	inBubble(t, Config{}, func(t *testing.T, rt *Router, c *edgetest.Client, ends chan error) {
		c.Text("bad message")
		if code, _ := c.ExpectClose(); code != refusal.CloseInvalidData {
			t.Errorf("closed with %d", code)
		}
		start := time.Now()
		<-ends
		if _, _, err := c.Read(); err == nil {
			t.Error("a frame after the close frame")
		}
		if d := time.Since(start); d != time.Second {
			t.Errorf("cut after %v", d)
		}
	})
}

// TestStorm: memory is given back once after many have come or gone, and not
// while they still do, nor before it has been calm for a while.
func TestStorm(t *testing.T) {
	var s storm
	for i, step := range []struct {
		accepted, open uint64
		calm           int // more sweeps of the same
		over           bool
	}{
		{0, 0, 0, false}, {600, 600, 0, false}, {1200, 1200, 0, false}, {1210, 1210, stormCalm - 2, false}, {1210, 1210, 0, true},
		{1210, 1210, stormCalm, false}, {1260, 1250, stormCalm, false},
		{1260, 600, 0, false}, {1260, 90, stormCalm - 2, false}, {1460, 290, 0, false}, {1460, 290, stormCalm - 2, false}, {1460, 290, 0, true},
		{1460, 290, stormCalm, false},
	} {
		for range step.calm {
			if s.over(step.accepted, step.open) {
				t.Errorf("step %d: over before it is calm", i)
			}
		}
		if got := s.over(step.accepted, step.open); got != step.over {
			t.Errorf("step %d: over is %t", i, got)
		}
	}
}
