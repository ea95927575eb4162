package ws

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
)

// stalled returns the connection of a client that reads nothing after the upgrade, with a
// small buffer, to which frames of a stream were written until the kernel took no more.
func stalled(t *testing.T, cfg Config) (*edgetest.Client, *Conn[string], *feed, *Router, chan error) {
	t.Helper()
	conns, closed := make(chan *Conn[string], 1), make(chan error, 1)
	cfg.SendBuffer = 64 << 10
	rt := newRouter(t, cfg)
	React(rt, Route[string]{Path: "/", Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) {
		conns <- c
		return &echoSession{c, closed}, nil
	}})
	base := serve(t, rt)
	client := edgetest.Dial(t, base+"/")
	if err := client.Conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	c := <-conns
	f := new(feed)
	c.Attach(f)
	for {
		for range 16 {
			f.add(1000)
		}
		if c.Flush() {
			continue
		}
		time.Sleep(20 * time.Millisecond) // the kernels may still move some
		if f.stands() {
			return client, c, f, rt, closed
		}
	}
}

// TestSlowPeer: one that takes nothing for the write timeout is closed with
// 1013. When it reads again it finds whole frames and then that close frame.
func TestSlowPeer(t *testing.T) { eachReact(t, testSlowPeer) }

func testSlowPeer(t *testing.T, v variant) {
	client, c, f, rt, closed := stalled(t, v.with(Config{WriteTimeout: 100 * time.Millisecond, CloseTimeout: 3 * time.Second})) // in which the close frame is written
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("closed with %v, want nil: it was closed from here", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("a stalled peer is not closed")
	}
	if n := rt.Stats().Slow; n != 1 {
		t.Errorf("%d slow peers counted", n)
	}
	f.add(1) // nobody wants it any more
	c.Flush()
	next := 0
	for {
		op, p, err := client.Read()
		if err != nil {
			t.Fatalf("after %d frames: %v", next, err)
		}
		if op == edgetest.OpClose {
			if code := int(p[0])<<8 | int(p[1]); code != refusal.CloseTryAgainLater {
				t.Errorf("closed with %d", code)
			}
			break
		}
		if !strings.HasPrefix(string(p), fmt.Sprintf("shared %d ", next)) {
			t.Fatalf("frame %d is %.20q", next, p)
		}
		next++
	}
	if next < 10 {
		t.Errorf("%d frames came", next)
	}
}

// TestSlowButAlive: a peer that takes a little now and then is not closed.
func TestSlowButAlive(t *testing.T) { eachReact(t, testSlowButAlive) }

func testSlowButAlive(t *testing.T, v variant) {
	const timeout, step, steps = 60, 30, 10 // seconds, which are ticks here; a step has as many left that the machine may take
	client, c, f, rt, _ := stalled(t, v.with(Config{WriteTimeout: timeout * time.Second, PingInterval: time.Hour, MessageTimeout: time.Hour}))
	if rt.tickLength() != time.Second {
		t.Fatalf("a tick is %v", rt.tickLength())
	}
	rt.stop.Do(func() { close(rt.halt) }) // no sweep sees an old time beside the test's
	awaitThat(t, "for the last sweep", func() bool { return rt.swept.Load() == rt.tick.Load() })
	var buf [16 << 10]byte
	for range steps {
		for before := f.taken(); f.taken() == before; { // the kernels move more than it reads at a time, now and then
			f.add(len(buf)) // there is always more
			c.Flush()
			if _, err := io.ReadFull(client.Conn, buf[:]); err != nil {
				t.Fatal(err)
			}
		}
		c.check(rt.tick.Add(step), limits{ping: 1 << 20, write: timeout, message: 1 << 20}) // as the sweeper does
	}
	if s := rt.Stats(); s.Slow != 0 || s.Open != 1 {
		t.Errorf("stats %+v", s)
	}
}

// TestPendingBound: frames for one connection alone do not pile up.
func TestPendingBound(t *testing.T) { eachReact(t, testPendingBound) }

func testPendingBound(t *testing.T, v variant) {
	_, c, _, rt, closed := stalled(t, v.with(Config{MaxPending: 10 << 10, CloseTimeout: 50 * time.Millisecond}))
	sent := 0
	for c.SendPayload(false, make([]byte, 1000)) == nil {
		if sent++; sent > 20 {
			t.Fatal("no bound")
		}
	}
	if sent < 5 {
		t.Errorf("closed after %d KB", sent)
	}
	if rt.Stats().Slow != 1 {
		t.Error("not counted")
	}
	<-closed
}
