package ws

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// opened serves a React route on v's driver and returns a client with the
// connection that it has there.
func opened(t *testing.T, v variant, cfg Config) (*edgetest.Client, *Conn[string]) {
	t.Helper()
	conns := make(chan *Conn[string], 1)
	rt := newRouter(t, v.with(cfg))
	React(rt, Route[string]{Path: "/", Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) {
		conns <- c
		return &echoSession{c, make(chan error, 1)}, nil
	}})
	client := edgetest.Dial(t, serve(t, rt)+"/")
	return client, <-conns
}

// A line is a Stream that is given frames by name.
type line struct {
	feed
	name string
}

func (l *line) say(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log = appendFrame(l.log, false, fmt.Appendf(nil, "%s %d", l.name, n))
}

// TestStreams: each of several streams comes whole and in order, and one that
// was detached is heard of no more.
func TestStreams(t *testing.T) { eachReact(t, testStreams) }

func testStreams(t *testing.T, v variant) {
	client, c := opened(t, v, Config{})
	lines := []*line{{name: "a"}, {name: "b"}, {name: "c"}}
	for _, l := range lines {
		c.Attach(l)
	}
	const total = 300
	go func() {
		for n := range total {
			for _, l := range lines {
				l.say(n)
			}
			c.Flush()
		}
	}()
	next := map[string]int{}
	for next["a"] < total || next["b"] < total || next["c"] < total {
		name, n, _ := strings.Cut(string(client.Expect(edgetest.OpText)), " ")
		if n != fmt.Sprint(next[name]) {
			t.Fatalf("%s %s came instead of %d", name, n, next[name])
		}
		next[name]++
	}
	c.Detach(lines[1])
	for _, l := range lines {
		l.say(total)
	}
	c.Flush()
	for range 2 {
		if got := string(client.Expect(edgetest.OpText)); strings.HasPrefix(got, "b") {
			t.Errorf("%q came of a stream that was detached", got)
		}
	}
}

// TestPause: what is sent to a connection that is paused waits, however long
// that is, and so does nothing else.
func TestPause(t *testing.T) { eachReact(t, testPause) }

func testPause(t *testing.T, v variant) {
	client, c := opened(t, v, Config{PingInterval: time.Hour})
	c.rt.stop.Do(func() { close(c.rt.halt) }) // the sweeps are the test's own
	client.Text("before")
	client.ExpectText("before")
	c.Pause()
	client.Text("later")
	if err := c.SendPayload(false, []byte("sent meanwhile")); err != nil {
		t.Error(err)
	}
	client.ExpectText("sent meanwhile")
	for range 3 * ticksPerInterval { // three intervals of silence, and it stays
		c.check(c.rt.tick.Add(1), limits{ping: ticksPerInterval, write: 1 << 20, message: 1 << 20})
	}
	c.Pause()
	c.Resume()
	c.Resume()
	client.ExpectText("later")
	client.Text("after")
	client.ExpectText("after")
}

// TestLater: what a session puts off is done once a turn until it is done.
func TestLater(t *testing.T) {
	rt := newRouter(t, Config{loops: 1})
	turns := make(chan int, 10)
	React(rt, Route[string]{Path: "/", Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) {
		return slicer{c, turns}, nil
	}})
	c := edgetest.Dial(t, serve(t, rt)+"/")
	c.Text("go")
	for want := range 5 {
		select {
		case n := <-turns:
			if n != want {
				t.Errorf("%d instead of %d", n, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("it was put off for ever")
		}
	}
	c.Text("again")
	if n := <-turns; n != 0 {
		t.Errorf("done %d times more", n)
	}
}

type slicer struct {
	c     *Conn[string]
	turns chan int
}

func (s slicer) Receive(string) {
	n := 0
	s.c.Later(func() bool {
		s.turns <- n
		n++
		return n < 5
	})
}
func (s slicer) Closed(error) {}
