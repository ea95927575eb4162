package ws

import (
	"io"
	"testing"

	"edgechat/internal/edgetest"
)

type taker struct{ got chan struct{} }

func (s taker) Receive(struct{}) { s.got <- struct{}{} }
func (s taker) Closed(error)     {}

// TestReadAllocs: a message that is received costs one allocation, gws's own
// *Message of 16 bytes, and what Decode makes of it.
func TestReadAllocs(t *testing.T) {
	got := make(chan struct{})
	rt := newRouter(t, Config{})
	React(rt, Route[struct{}]{
		Path:   "/",
		Decode: func(bool, []byte) (struct{}, error) { return struct{}{}, nil },
		Open:   func(*Conn[struct{}]) (Session[struct{}], error) { return taker{got}, nil },
	})
	c := edgetest.Dial(t, serve(t, rt)+"/")
	frame := edgetest.Frame(edgetest.OpText, make([]byte, 100))
	n := testing.AllocsPerRun(1000, func() {
		if _, err := c.Conn.Write(frame); err != nil {
			t.Fatal(err)
		}
		<-got
	})
	if n > 1 {
		t.Errorf("%v allocations for a message", n)
	}
}

func BenchmarkEcho(b *testing.B) {
	base, _, _ := echo(b, Config{}, 0)
	for _, path := range []string{"/handle", "/react"} {
		b.Run(path[1:], func(b *testing.B) {
			c := edgetest.Dial(b, base+path)
			frame := edgetest.Frame(edgetest.OpText, make([]byte, 100))
			back := make([]byte, 102)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Conn.Write(frame); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c.Conn, back); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
