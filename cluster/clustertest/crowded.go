package clustertest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/cluster"
	"edgechat/codec"
	"edgechat/hub/logtest"
	"edgechat/moderation"
)

// A lossy Server has engines that lose one of each five broadcasts of all nodes, by a counter.
type lossy struct {
	Server
	sent, lost atomic.Int64
}

type lossyEngine struct {
	cluster.Engine
	*lossy
}

func (s *lossy) Engine(t testing.TB) cluster.Engine { return lossyEngine{s.Server.Engine(t), s} }

func (e lossyEngine) Broadcast(ctx context.Context, payload []byte) error {
	// Each time another one of the five, so that a list whose parts are a multiple of five does not lose the same ones for ever.
	if n := e.sent.Add(1); n%5 == n/5%5 {
		e.lost.Add(1)
		return nil
	}
	return e.Engine.Broadcast(ctx, payload)
}

// A measured Server is a lossy one that knows how long broadcasts are.
type measured struct {
	lossy
	longest, bytes, beat atomic.Int64
}

type measuredEngine struct {
	cluster.Engine
	*measured
}

func (m *measured) Engine(t testing.TB) cluster.Engine {
	return measuredEngine{m.lossy.Engine(t), m}
}

func (e measuredEngine) Broadcast(ctx context.Context, payload []byte) error {
	n := int64(len(payload))
	for was := e.longest.Load(); n > was && !e.longest.CompareAndSwap(was, n); was = e.longest.Load() {
	}
	if strings.Contains(string(payload[:min(n, 200)]), `"kind":"beat"`) {
		e.beat.Store(n)
	}
	e.bytes.Add(n)
	return e.Engine.Broadcast(ctx, payload)
}

// counted is how many members there are elsewhere.
type counted struct{ joined, left atomic.Int64 }

func (*counted) Empty() bool { return false }

func (c *counted) Abroad(_ string, e *codec.Event) {
	switch e.Type {
	case codec.TypeJoined:
		c.joined.Add(1)
	case codec.TypeLeft:
		c.left.Add(1)
	}
}

// mostNotify is what PostgreSQL takes in one NOTIFY, in bytes.
const mostNotify = 7999

// Crowded: a node that comes learns of 10,000 members on another, with names that are long as they are broadcast, and of a thousand bans, in broadcasts of which none is longer than
// an engine takes, and of which one of each five is lost.
func Crowded(t *testing.T, server Server) {
	const members, bans = 10_000, 1_000
	s := &measured{lossy: lossy{Server: server}}
	list := Following(t, s, 2)
	rules := make([]*moderation.Rules, 2)
	crowds := make([]*counted, 2)
	for i, n := range list {
		r, err := moderation.Open(moderation.Config{Node: fmt.Sprint("node", i), Spread: n.Log().Spread})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = r.Close() }) // it has no file
		rules[i], crowds[i] = r, new(counted)
		n.Log().Share(r)
	}
	for i := range members {
		name := fmt.Sprint("member", i)
		if i%10 == 0 {
			name += strings.Repeat("<", 50)
		}
		list[0].Log().Announced(fmt.Sprint("room", i%50), &codec.Event{Type: codec.TypeJoined, Username: name, Time: time.Now().UnixMilli()})
	}
	for i := range bans {
		o, err := moderation.Parse(moderation.Act{Act: moderation.ActBan, Identity: fmt.Sprint("token", i), Reason: strings.Repeat("&", 80)})
		if err == nil {
			_, err = rules[0].Do("test", o, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	for i, n := range list {
		n.Log().Meet(crowds[i])
	}
	logtest.Eventually(t, "all are known", func() bool { return crowds[1].joined.Load()-crowds[1].left.Load() == members })
	logtest.Eventually(t, "all bans hold", func() bool { return rules[0].Sums() == rules[1].Sums() && len(rules[1].List("")) == bans })
	if crowds[1].joined.Load() != members {
		t.Errorf("%d joined and %d left", crowds[1].joined.Load(), crowds[1].left.Load())
	}
	t.Logf("after %s: %d broadcasts of %d bytes, of which %d were lost, the longest of %d; a heartbeat has %d", time.Since(began).Round(time.Millisecond), s.sent.Load(), s.bytes.Load(), s.lost.Load(), s.longest.Load(), s.beat.Load())
	if s.lost.Load() == 0 {
		t.Error("no broadcast was lost")
	}
	if s.longest.Load() > mostNotify {
		t.Errorf("a broadcast of %d bytes, %d are what PostgreSQL takes", s.longest.Load(), mostNotify)
	}
}
