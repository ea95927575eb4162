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

// TestLoopParks: a connection has no coroutine from the turn on in which its message was read, or
// its ping; a part of a message keeps it.
func TestLoopParks(t *testing.T) {
	rt, url := loopRig(t, Config{})
	r := rt.reactors[0]
	expect := func(want int) {
		t.Helper()
		if n := talking(r); n != want {
			t.Errorf("%d connections have a coroutine, want %d", n, want)
		}
	}
	c := edgetest.Dial(t, url)
	ping := func() {
		t.Helper()
		c.Raw([]byte(masked(0x89, "!")))
		c.Expect(edgetest.OpPong)
	}
	expect(0)
	c.Text("hello")
	c.ExpectText("hello")
	expect(0)
	ping()
	expect(0)
	pong := masked(0x8a, "")
	c.Raw([]byte(pong + pong + masked(0x89, "!"))) // in one segment
	c.Expect(edgetest.OpPong)
	expect(0)
	c.Raw([]byte(masked(0x01, "frag"))) // a fragment is state, too
	ping()
	expect(1)
	ping()
	expect(1)
	c.Raw([]byte(masked(0x80, "ment")))
	if p := c.Expect(edgetest.OpText); string(p) != "fragment" {
		t.Errorf("got %q", p)
	}
	expect(0)
}

// talking returns how many connections of r have a coroutine.
func talking(r *reactor) int {
	n := make(chan int)
	r.Post(func() { n <- r.talking })
	return <-n
}

// TestSpareTalks: coroutines with the limits of one route, however many are spare, leave room for the one that
// another route's next message takes.
func TestSpareTalks(t *testing.T) {
	rt := newRouter(t, Config{loops: 1})
	for path, limit := range map[string]int{"/short": 1000, "/long": 2000} {
		React(rt, Route[string]{Path: path, MaxMessage: limit, Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) {
			return &echoSession{c, make(chan error, 1)}, nil
		}})
	}
	url := serve(t, rt)
	r := rt.reactors[0]
	message := masked(0x81, "hello")
	var all []*edgetest.Client
	for range 2 * spareTalks {
		c := edgetest.Dial(t, url+"/short")
		c.Raw([]byte(message[:4]))
		all = append(all, c)
	}
	awaitThat(t, "all are within a message", func() bool { return talking(r) == len(all) })
	for _, c := range all {
		c.Raw([]byte(message[4:]))
		c.ExpectText("hello")
	}
	last := func() *talk {
		last := make(chan *talk)
		r.Post(func() {
			if len(r.spare) != spareTalks {
				t.Errorf("%d coroutines are spare, want %d", len(r.spare), spareTalks)
			}
			last <- r.spare[len(r.spare)-1]
		})
		return <-last
	}
	before := last()
	c := edgetest.Dial(t, url+"/long")
	c.Text("hello")
	c.ExpectText("hello")
	kept := last()
	c.Text("hello")
	c.ExpectText("hello")
	if kept == before || last() != kept {
		t.Error("each message has a coroutine made for it")
	}
}

// TestLoopDescriptors: numbers of descriptors are given away again all the
// time while connections come, break and talk; each hears its own words alone.
func TestLoopDescriptors(t *testing.T) {
	rt, url := loopRig(t, Config{CloseTimeout: 20 * time.Millisecond})
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
	awaitThat(t, "all are gone", func() bool { return rt.Stats().Open == 0 })
}
