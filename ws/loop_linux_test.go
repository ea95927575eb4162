package ws

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
)

// A moody session echoes, and does what it is told.
type moody struct{ c *Conn[string] }

func (s moody) Receive(msg string) {
	switch msg {
	case "panic":
		panic("told to")
	case "sleep":
		time.Sleep(70 * time.Millisecond)
	}
	_ = s.c.SendPayload(false, []byte(msg))
}
func (s moody) Closed(error) {}

// loopRig is a server with one event loop's worth of moody sessions.
func loopRig(t *testing.T, cfg Config) (*Router, string) {
	t.Helper()
	cfg.loops = 1
	rt := newRouter(t, cfg)
	React(rt, Route[string]{Path: "/", Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) {
		return moody{c}, nil
	}})
	return rt, serve(t, rt) + "/"
}

// TestLoopPanic: a handler that panics ends its connection, and leaves those on
// the same loop alone.
func TestLoopPanic(t *testing.T) {
	rt, url := loopRig(t, Config{})
	other := edgetest.Dial(t, url)
	other.Raw([]byte(masked(0x81, "half a frame")[:9]))
	c := edgetest.Dial(t, url)
	c.Raw([]byte(masked(0x81, "before") + masked(0x81, "panic") + masked(0x81, "after")))
	c.ExpectText("before")
	if code, reason := c.ExpectClose(); code != refusal.CloseInternalError || reason != failedReason {
		t.Errorf("closed with %d %q", code, reason)
	}
	other.Raw([]byte(masked(0x81, "half a frame")[9:]))
	other.ExpectText("half a frame")
	if n := rt.Stats().Panics; n != 1 {
		t.Errorf("%d panics counted", n)
	}
}

// TestLoopSlowTurn: a turn that holds up others is counted.
func TestLoopSlowTurn(t *testing.T) {
	rt, url := loopRig(t, Config{})
	c := edgetest.Dial(t, url)
	c.Text("quick")
	c.ExpectText("quick")
	before := rt.Stats().SlowTurns // the machine may be busy
	c.Text("sleep")
	c.ExpectText("sleep")
	awaitThat(t, "it is counted", func() bool { return rt.Stats().SlowTurns > before })
}

// TestLoopParks: a connection that is silent has no coroutine, nor one that
// answers pings alone; half a frame keeps it.
func TestLoopParks(t *testing.T) {
	cfg := quickTicks
	cfg.parkAfter = 20 * time.Millisecond
	rt, url := loopRig(t, cfg)
	r := rt.reactors[0]
	talking := func() int {
		n := make(chan int)
		r.Post(func() { n <- len(r.talking) })
		return <-n
	}
	await := func(want int) {
		t.Helper()
		awaitThat(t, fmt.Sprintf("%d connections have a coroutine", want), func() bool { return talking() == want })
	}
	c := edgetest.Dial(t, url)
	await(0)
	c.Text("hello")
	c.ExpectText("hello")
	await(0)
	c.Raw(edgetest.Frame(edgetest.OpPing, nil))
	c.Expect(edgetest.OpPong)
	await(0)
	c.Text("hello")
	c.ExpectText("hello")
	pong := masked(0x8a, "")
	c.Raw([]byte(pong + pong)) // in one segment
	await(0)
	c.Raw([]byte(masked(0x01, "frag"))) // a fragment is state, too
	for range 3 {
		c.Raw(edgetest.Frame(edgetest.OpPing, nil))
		c.Expect(edgetest.OpPong)
		now := rt.swept.Load()
		awaitThat(t, "it could have been parked", func() bool { return rt.swept.Load()-now > ticksPerInterval })
	}
	if talking() != 1 {
		t.Error("parked within a message")
	}
	c.Raw([]byte(masked(0x80, "ment")))
	if p := c.Expect(edgetest.OpText); string(p) != "fragment" {
		t.Errorf("got %q", p)
	}
	await(0)
}

// TestLoopDescriptors: numbers of descriptors are given away again all the
// time while connections come, break and talk; each hears its own words alone.
func TestLoopDescriptors(t *testing.T) {
	for _, d := range []driving{autoDriver, eagerLoop} {
		rt, url := loopRig(t, Config{driver: d, CloseTimeout: 20 * time.Millisecond})
		var clients sync.WaitGroup
		for g := range 8 {
			clients.Go(func() {
				for i := range 100 {
					c := edgetest.Dial(t, url)
					for k := range 3 {
						text := fmt.Sprintf("client %d.%d says %d %s", g, i, k, strings.Repeat("x", i))
						c.Text(text)
						c.ExpectText(text)
					}
					switch i % 4 {
					case 0:
						c.Close()
					case 1:
						_ = c.Conn.Close()
					case 2:
						_ = c.Conn.(*net.TCPConn).SetLinger(0) // a reset
						_ = c.Conn.Close()
					case 3:
						c.Text("bad end") // closed from there
						_ = c.Conn.Close()
					}
				}
			})
		}
		clients.Wait()
		awaitThat(t, "no connection is left", func() bool { return rt.Stats().Open == 0 })
	}
}
