package clustertest

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"edgechat/codec"
	"edgechat/hub/logtest"
)

// rooms is how many there are in a chaos.
const rooms = 3

func roomOf(i int) string { return fmt.Sprint("room", i%rooms) }

// A book has what was told in a chaos: what was delivered under which id, and what was acknowledged.
type book struct {
	t     *testing.T
	keeps bool

	over atomic.Bool

	mu     sync.Mutex
	ids    map[string]string   // by room and id, what was delivered
	keys   map[string]codec.ID // acknowledged, by room and content, which is the key
	failed int                 // tries that were not
	open   []string            // room and content of what was tried by a process that was killed
}

func newBook(t *testing.T, keeps bool) *book {
	return &book{t: t, keeps: keeps, ids: map[string]string{}, keys: map[string]codec.ID{}}
}

// delivered notes a message, on whichever node.
func (b *book) delivered(room string, id codec.ID, content string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := room + " " + id.String()
	if was, ok := b.ids[key]; ok && was != content {
		b.t.Errorf("%s is %q, and was %q", key, content, was)
	}
	b.ids[key] = content
}

func (b *book) fail(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed += n
}

// acked notes what was acknowledged as durable.
func (b *book) acked(room, content string, id codec.ID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.keys[room+" "+content] = id
}

func (b *book) acknowledged() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.keys)
}

// goOn waits until something is acknowledged: an engine that takes long to start is not killed before it takes messages again.
func (b *book) goOn() {
	b.t.Helper()
	was := b.acknowledged()
	logtest.Eventually(b.t, "something is acknowledged between two faults", func() bool { return b.acknowledged() > was })
}

// enough says that what is compared in the end says something: faults were met.
func (b *book) enough() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.keys) >= 50 && b.failed > 0
}

// agreed says that all nodes are as far as the one that is furthest, which has all that was acknowledged, and that nothing comes or waits.
func agreed(w *World) (position uint64, ok bool) {
	position = w.nodes[0].Log().Status().Position
	for _, n := range w.nodes {
		st, stats := n.Log().Status(), n.Log().Stats()
		if n.Log().Ready() != nil || st.Owed > 0 || stats.Queue > 0 || stats.Waiting > 0 || st.Position != position {
			return 0, false
		}
	}
	return position, true
}

// read returns what each node has of each room, once all agree, and nothing came while it was read: what nobody waits for any more may come late.
func (b *book) read(w *World) (histories [rooms][][]codec.Message) {
	b.t.Helper()
	logtest.Eventually(b.t, "all nodes have all, and owe nothing", func() bool {
		before, ok := agreed(w)
		if !ok {
			return false
		}
		for i := range rooms {
			histories[i] = nil
			for _, n := range w.nodes {
				p, err := n.Log().Read(roomOf(i), codec.Query{})
				if err != nil {
					b.t.Fatal(err)
				}
				histories[i] = append(histories[i], p.Messages)
			}
		}
		after, ok := agreed(w)
		return ok && after == before
	})
	return histories
}

// compare looks at all histories, once all nodes agree.
func (b *book) compare(w *World) {
	histories := b.read(w)
	b.mu.Lock() // not for longer: nodes deliver still, with a room locked that Head waits for
	keys, failed := maps.Clone(b.keys), b.failed
	b.mu.Unlock()
	t := b.t
	missing := 0
	for i := range rooms {
		room := roomOf(i)
		first := b.same(room, histories[i])
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
			if is, there := seen[content]; ok && (!there || b.keeps && is != id) {
				t.Errorf("%q was acknowledged as %s, and is %s", key, id, seen[content])
				missing++
			}
		}
	}
	t.Logf("%d acknowledged, %d tries were not, %d lost", len(keys), failed, missing)
}

// same returns what a room has, which is to be the same on all nodes.
func (b *book) same(room string, histories [][]codec.Message) (first []codec.Message) {
	first = histories[0]
	for k, list := range histories {
		if len(list) != len(first) {
			b.t.Errorf("node %d has %d messages of %s, node 0 %d", k, len(list), room, len(first))
			continue
		}
		for at, m := range list {
			if m.ID != first[at].ID || m.Content != first[at].Content {
				b.t.Errorf("node %d has %s %q, node 0 %s %q", k, m.ID, m.Content, first[at].ID, first[at].Content)
			}
		}
	}
	return first
}

// A reader is told what a node delivers: offsets ascend by one, or the room was cut, which closes its members with 1012.
type reader struct {
	book *book
	node string
	mu   sync.Mutex
	last map[string]codec.ID
}

func (r *reader) deliver(room string, m *codec.Message) {
	r.book.delivered(room, m.ID, m.Content)
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.last[room]; ok && m.ID.Offset != last.Offset+1 {
		r.book.t.Errorf("on %s in %s %s is delivered behind %s, without a cut", r.node, room, m.ID, last)
	}
	r.last[room] = m.ID
}

func (r *reader) cut(room string, head codec.ID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last[room] = head
}
