package clustertest

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/codec"
)

// Chaos has publishers hop between nodes, under keys, while the engine's server is killed and nodes are stopped, and both are started again. In the end nothing that was acknowledged
// as durable is lost, no id has two contents, no key two ids, and all nodes have one history. Keeps says that the engine loses nothing when it is killed: else what
// a node alone had, that was away when the others agreed, is there under another id, since it was said again under its key.
func Chaos(t *testing.T, s Server, nodes int, keeps bool, took time.Duration, seed uint64) {
	t.Logf("seed %d", seed)
	w := NewWorld(t, s, nodes, 1_000_000)
	c := &chaos{t: t, w: w, keeps: keeps, ids: map[string]string{}, keys: map[string]codec.ID{}}
	for _, n := range w.nodes {
		n.deliver, n.cut = c.deliver, func(string, codec.ID) {}
		n.begin(t)
	}
	end := time.Now().Add(took)
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() { c.publish(fmt.Sprint("p", i), rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	rnd := rand.New(rand.NewPCG(seed, 1000))
	for time.Now().Before(end) || !c.enough() {
		time.Sleep(time.Duration(200+rnd.IntN(800)) * time.Millisecond)
		was := c.acknowledged() // an engine that takes long to start is not killed before it takes messages again
		eventually(t, "something is acknowledged between two faults", func() bool { return c.acknowledged() > was })
		switch n := w.nodes[rnd.IntN(len(w.nodes))]; rnd.IntN(3) {
		case 0:
			s.Kill(t)
			time.Sleep(time.Duration(rnd.IntN(500)) * time.Millisecond)
			s.Start(t)
		case 1:
			n.Stop(t)
			time.Sleep(time.Duration(rnd.IntN(500)) * time.Millisecond)
			n.open(t)
			n.Log().Deliver(n.deliver, n.cut)
		}
	}
	c.over.Store(true)
	wg.Wait()
	eventually(t, "all nodes have all, and owe nothing", c.agreed)
	c.compare()
}

type chaos struct {
	t     *testing.T
	w     *World
	keeps bool

	over atomic.Bool

	mu   sync.Mutex
	ids  map[string]string   // by room and id, what was delivered
	keys map[string]codec.ID // acknowledged, by room and content, which is the key
	lost int                 // tries that were not
	open []string            // room and content of what was tried by a process that was killed
}

func (c *chaos) deliver(room string, m *codec.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	id := room + " " + m.ID.String()
	if was, ok := c.ids[id]; ok && was != m.Content {
		c.t.Errorf("%s is %q, and was %q", id, m.Content, was)
	}
	c.ids[id] = m.Content
}

// publish says one thing after the other, each until it is acknowledged, on whichever node.
func (c *chaos) publish(name string, rnd *rand.Rand) {
	for i := 0; !c.over.Load(); i++ {
		room, content := fmt.Sprint("room", rnd.IntN(3)), fmt.Sprint(name, ".", i)
		for giveUp := time.Now().Add(2 * patience); time.Now().Before(giveUp); time.Sleep(5 * time.Millisecond) {
			l := c.w.nodes[rnd.IntN(len(c.w.nodes))].Log()
			if l == nil {
				continue
			}
			told := make(chan codec.Receipt, 1)
			m := codec.Message{Username: name, Content: content, Time: 1}
			if err := l.Append(room, m, content, codec.Done{Tell: func(r codec.Receipt) { told <- r }}); err != nil {
				c.failed()
				continue
			}
			if r := <-told; r.Err == nil && r.Durable {
				c.acked(room, content, r.ID)
				break
			}
			c.failed()
		}
	}
}

func (c *chaos) failed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost++
}

func (c *chaos) acked(room, content string, id codec.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys[room+" "+content] = id
}

func (c *chaos) acknowledged() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.keys)
}

// enough says that what is compared in the end says something: faults were met.
func (c *chaos) enough() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.keys) >= 50 && c.lost > 0
}

// agreed says that all nodes are as far as the one that is furthest, which has all that was acknowledged, and that nothing comes.
func (c *chaos) agreed() bool {
	position := c.w.nodes[0].Log().Status().Position
	for _, n := range c.w.nodes {
		if st := n.Log().Status(); n.Log().Ready() != nil || st.Owed > 0 || st.Position != position {
			return false
		}
	}
	return true
}

func (c *chaos) compare() {
	c.mu.Lock() // not for longer: nodes deliver still, with a room locked that Head waits for
	keys, failed := maps.Clone(c.keys), c.lost
	c.mu.Unlock()
	t := c.t
	missing := 0
	for i := range 3 {
		room := fmt.Sprint("room", i)
		var first []codec.Message
		for k, n := range c.w.nodes {
			p, err := n.Log().Read(room, codec.Query{})
			if err != nil {
				t.Fatal(err)
			}
			if k == 0 {
				first = p.Messages
				continue
			}
			if len(p.Messages) != len(first) {
				t.Errorf("node %d has %d messages of %s, node 0 %d", k, len(p.Messages), room, len(first))
				continue
			}
			for at, m := range p.Messages {
				if m.ID != first[at].ID || m.Content != first[at].Content {
					t.Errorf("node %d has %s %q, node 0 %s %q", k, m.ID, m.Content, first[at].ID, first[at].Content)
				}
			}
		}
		seen := map[string]codec.ID{}
		for at, m := range first {
			if was, twice := seen[m.Content]; twice {
				t.Errorf("%q is there as %s and as %s", m.Content, was, m.ID)
			}
			if m.ID.Offset != uint64(at+1) {
				t.Errorf("in %s %s is number %d", room, m.ID, at+1)
			}
			seen[m.Content] = m.ID
		}
		for key, id := range keys {
			content, ok := strings.CutPrefix(key, room+" ")
			if is, there := seen[content]; ok && (!there || c.keeps && is != id) {
				t.Errorf("%q was acknowledged as %s, and is %s", key, id, seen[content])
				missing++
			}
		}
	}
	t.Logf("%d acknowledged, %d tries were not, %d lost", len(keys), failed, missing)
}
