package ws

import (
	"strings"
	"testing"

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
