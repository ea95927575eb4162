// Package logtest tests what every hub.Log promises. Each implementation has a test that calls Run with what makes
// it: the store of one process, and logs that several nodes share.
package logtest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/hub"
)

// A Maker makes what is tested. All but New may be nil: what would need it is skipped.
type Maker struct {
	// New returns a new log of so many nodes, each of which keeps so many messages of a room, with nothing in it. What it opens
	// ends with the test.
	New func(t *testing.T, nodes, history int) World
	// Nodes is how many nodes may share one log. 0 and 1 are one.
	Nodes int
	// Only names the tests that are run. nil is all.
	Only []string
	// Parallel has tests run beside each other. Then New is called from several goroutines.
	Parallel bool
}

// A World is a log and the nodes that share it.
type World interface {
	// Node returns the log as a node has it, which nothing was asked of yet.
	Node(i int) hub.Log
	// Restart closes a node in order and opens it again.
	Restart(t *testing.T, i int) hub.Log
	// Crash opens a node again as it is after its process was killed.
	Crash(t *testing.T, i int) hub.Log
}

// A Loser is a World whose log may lose what it was given last.
type Loser interface {
	// Lose has do called, which uses the first node alone, and all messages lost that the log is given by it, on all nodes. All nodes but one are
	// delivered them before, if there are several.
	Lose(t *testing.T, do func())
}

// A Breaker is a World where what makes messages safe may fail.
type Breaker interface {
	Break(t *testing.T)
	Mend(t *testing.T)
}

// Run runs all tests.
func Run(t *testing.T, m Maker) {
	for _, x := range []struct {
		name string
		test func(t *testing.T, m Maker)
	}{
		{"Numbers", numbers}, {"Receipts", receipts}, {"Keys", keys}, {"KeysAtOnce", keysAtOnce}, {"Trim", trim}, {"Replay", replay},
		{"Back", back}, {"Edits", edits}, {"Claims", claims}, {"DeletedOnce", deletedOnce}, {"AtOnce", atOnce}, {"Restart", restart}, {"Crash", crash}, {"Epochs", epochs},
		{"Cut", cut}, {"Faults", faults}, {"Refused", refused},
	} {
		if m.Only != nil && !slices.Contains(m.Only, x.name) {
			continue
		}
		t.Run(x.name, func(t *testing.T) {
			if m.Parallel {
				t.Parallel()
			}
			x.test(t, m)
		})
	}
}

// patience is for what takes as long as the machine is slow.
const patience = 2 * time.Minute

// A node is a log that is listened to.
type node struct {
	hub.Log
	t *testing.T

	mu   sync.Mutex
	seen map[string][]codec.Message // by room, as they were delivered, since the last cut
	told map[codec.ID]bool          // all that was delivered, in whichever room
	cuts map[string][]codec.ID
}

func listen(t *testing.T, l hub.Log) *node {
	n := &node{Log: l, t: t, seen: map[string][]codec.Message{}, told: map[codec.ID]bool{}, cuts: map[string][]codec.ID{}}
	l.Deliver(n.deliver, n.cut)
	return n
}

func (n *node) deliver(room string, m *codec.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if seen := n.seen[room]; len(seen) > 0 && m.ID.Offset != seen[len(seen)-1].ID.Offset+1 {
		n.t.Errorf("in %s %s is delivered behind %s", room, m.ID, seen[len(seen)-1].ID)
	}
	n.seen[room] = append(n.seen[room], *m)
	n.told[m.ID] = true
}

func (n *node) cut(room string, head codec.ID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seen[room] = nil // what was seen is void
	n.cuts[room] = append(n.cuts[room], head)
}

func (n *node) delivered(room string) []codec.Message {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]codec.Message(nil), n.seen[room]...)
}

// toldAny says that one of these was delivered, whenever that was.
func (n *node) toldAny(ids []codec.ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(ids, func(id codec.ID) bool { return n.told[id] })
}

func (n *node) cutOf(room string) []codec.ID {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]codec.ID(nil), n.cuts[room]...)
}

func message(content string) codec.Message {
	return codec.Message{Username: "ann", Content: content, Time: 1_700_000_000_000, Author: 7}
}

// say appends a message and waits for its receipt, which has to be durable.
func (n *node) say(room, content, key string) codec.ID {
	n.t.Helper()
	r := n.try(room, message(content), codec.Claim{}, key)
	if r.Err != nil || !r.Durable || r.ID.Offset == 0 {
		n.t.Fatalf("%q in %s: %+v", content, room, r)
	}
	return r.ID
}

// try appends a message or a revision, and returns its receipt, or one with the error.
func (n *node) try(room string, m codec.Message, claim codec.Claim, key string) codec.Receipt {
	n.t.Helper()
	c := make(chan codec.Receipt, 2)
	var err error
	if done := (codec.Done{Tell: func(r codec.Receipt) { c <- r }}); m.Kind == codec.Said {
		err = n.Append(room, m, key, done)
	} else {
		err = n.Revise(room, m, claim, key, done)
	}
	if err != nil {
		return codec.Receipt{Err: err}
	}
	select {
	case r := <-c:
		return r
	case <-time.After(patience):
		n.t.Fatalf("no receipt of %q in %s", m.Content, room)
	}
	panic("unreachable")
}

// sayAll says the numbers from first to last.
func (n *node) sayAll(room string, first, last int) (ids []codec.ID) {
	n.t.Helper()
	for i := first; i <= last; i++ {
		ids = append(ids, n.say(room, fmt.Sprint(i), ""))
	}
	return ids
}

// page reads what q asks for.
func (n *node) page(room string, q codec.Query) codec.Page {
	n.t.Helper()
	p, err := n.Read(room, q)
	if err != nil {
		n.t.Fatal(err)
	}
	return p
}

// text is the contents of a page, with "!" in front if it is not recovered.
func text(p codec.Page) string {
	s := ""
	if !p.Recovered {
		s = "!"
	}
	for i, m := range p.Messages {
		if i > 0 {
			s += " "
		}
		s += m.Content
	}
	return s
}

func (n *node) want(what, room string, q codec.Query, contents string) {
	n.t.Helper()
	if got := text(n.page(room, q)); got != contents {
		n.t.Errorf("%s: %q, want %q", what, got, contents)
	}
}

// Eventually waits until what it says is so, for 30 seconds at most.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// each returns the nodes of a world.
func each(t *testing.T, m Maker, w World) (nodes []*node) {
	for i := range max(1, m.Nodes) {
		nodes = append(nodes, listen(t, w.Node(i)))
	}
	return nodes
}

// one returns a world of one node.
func one(t *testing.T, m Maker, history int) (World, *node) {
	w := m.New(t, 1, history)
	return w, listen(t, w.Node(0))
}
