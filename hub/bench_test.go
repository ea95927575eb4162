package hub

import (
	"fmt"
	"testing"

	"edgechat/codec"
)

// BenchmarkPublish is a message from a member to everyone's connection, at the end
// of his turn. What sockets cost is not in it.
func BenchmarkPublish(b *testing.B) {
	for _, members := range []int{2, 10, 100, 1000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			h := newHub(b, Config{Log: newPlainLog(1)})
			h.cfg.Formats[0].Message = func(dst []byte, _ string, m *codec.Message) []byte {
				return append(append(dst, m.Content...), '\n')
			}
			conns := make([]*turnCounter, members)
			for i := range conns {
				conns[i] = new(turnCounter)
				conns[i].m.Store(enter(b, h, "den", conns[i], Join{Username: "ann"}).Member)
			}
			first := conns[0]
			b.ReportAllocs()
			for b.Loop() {
				first.inTurn = true
				if err := first.m.Load().Publish("hello", 0, "", codec.Done{}); err != nil {
					b.Fatal(err)
				}
				first.inTurn = false
				first.turns()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*members), "ns/delivery")
			for _, c := range conns {
				c.m.Load().Leave()
			}
		})
	}
}

// A turnCounter is a counter whose handler may run in a turn of an event loop.
type turnCounter struct {
	counter
	inTurn bool
	later  []func() bool
}

func (c *turnCounter) Later(f func() bool) bool {
	if c.inTurn {
		c.later = append(c.later, f)
	}
	return c.inTurn
}

// turns does what was put off.
func (c *turnCounter) turns() {
	for _, f := range c.later {
		for f() {
		}
	}
	c.later = c.later[:0]
}
