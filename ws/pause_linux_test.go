package ws

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// A pauser pauses its connection with the first message, and says how many it has got.
type pauser struct {
	c   *Conn[string]
	got chan int
	n   *int
}

func (s pauser) Receive(msg string) {
	*s.n++
	if *s.n == 1 {
		s.c.Pause()
	}
	s.got <- *s.n
}
func (s pauser) Closed(error) {}

// TestPauseAtOnce: who is paused while it is read is handed no more than gws has already.
func TestPauseAtOnce(t *testing.T) {
	rt := newRouter(t, Config{loops: 1})
	conns, got := make(chan *Conn[string], 1), make(chan int, 10_000)
	React(rt, Route[string]{Path: "/", Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) {
		conns <- c
		return pauser{c, got, new(int)}, nil
	}})
	client := edgetest.Dial(t, serve(t, rt)+"/")
	c := <-conns
	const total = 5000
	client.Raw([]byte(strings.Repeat(masked(0x81, "x"), total)))
	<-got
	turned := make(chan struct{})
	for range 3 { // turns in which it could have been served
		rt.reactors[0].Post(func() { turned <- struct{}{} })
		<-turned
	}
	if n := len(got); n > readBuffer/7 {
		t.Errorf("%d messages were handed over behind the one that paused", n)
	}
	c.Resume()
	for n := 0; n < total; {
		n = <-got
	}
}

// TestPausesCount: who was paused twice is read again when both are over, in whatever order they
// began and ended.
func TestPausesCount(t *testing.T) { eachReact(t, testPausesCount) }

func testPausesCount(t *testing.T, v variant) {
	conns, got := make(chan *Conn[string], 1), make(chan string, 100)
	rt := newRouter(t, v.with(Config{loops: 1}))
	React(rt, Route[string]{Path: "/react", Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) {
		conns <- c
		return listener(got), nil
	}})
	client := edgetest.Dial(t, serve(t, rt)+"/react")
	c := <-conns
	for name, do := range map[string][]func(){
		"two rooms":         {c.Pause, c.Pause, c.Resume, nil, c.Resume},
		"one of them again": {c.Pause, c.Pause, c.Resume, c.Pause, nil, c.Resume, nil, c.Resume},
		"late":              {c.Resume, c.Pause, c.Pause, nil, c.Resume},
	} {
		for i, f := range do {
			if f != nil {
				f()
				continue
			}
			client.Text(fmt.Sprint(name, i))
			select {
			case msg := <-got:
				t.Fatalf("%s: paused, and %q was read", name, msg)
			case <-time.After(20 * time.Millisecond): // what must not come has had its time
			}
		}
		for i, f := range do {
			if f != nil {
				continue
			}
			select {
			case msg := <-got:
				if want := fmt.Sprint(name, i); msg != want {
					t.Fatalf("%s: %q, want %q", name, msg, want)
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("%s: not read again", name)
			}
		}
	}
}

// A listener passes on what it hears.
type listener chan string

func (l listener) Receive(msg string) { l <- msg }
func (l listener) Closed(error)       {}
