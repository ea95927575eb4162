package ws

import (
	"testing"

	"edgechat/limit"
)

// TestShares: twenty addresses take as many WebSockets as they can, or streams, and somebody new has one.
func TestShares(t *testing.T) {
	for _, c := range []struct {
		of     string
		limits Limits
		feed   bool
	}{
		{"WebSockets", Limits{Connections: 64, PerAddress: 4}, false},
		{"streams of few connections", Limits{Connections: 64, PerAddress: 4}, true},
		{"streams", Limits{Streams: 64, PerAddress: 4}, true},
		{"streams of many connections", Limits{Connections: 1000, Streams: 64, PerAddress: 4}, true},
	} {
		t.Run(c.of, func(t *testing.T) {
			var g registry
			g.init(c.limits, new(limitCounts))
			n := 0
			for a := limit.Addr(1); a <= 20; a++ {
				for g.admit(a, c.feed) == nil {
					n++
				}
			}
			if t.Logf("%d of 64", n); n < 32 {
				t.Errorf("they have %d", n)
			}
			if no := g.admit(99, c.feed); no != nil {
				t.Errorf("somebody new: %v", no)
			}
		})
	}
}
