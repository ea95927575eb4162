// Package clustertest tests a cluster.Engine through nodes that use it.
package clustertest

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/cluster"
	"edgechat/codec"
	"edgechat/hub/logtest"
	"edgechat/store"
)

// A Server is an engine's server, which a test started.
type Server interface {
	// Engine returns a new engine for it.
	Engine(t testing.TB) cluster.Engine
	// Kill ends it at once, and Start begins it again with what it has on disk.
	Kill(t testing.TB)
	Start(t testing.TB)
	// Snapshot has what it has now be what it has on disk after a Back, whatever comes meanwhile.
	Snapshot(t testing.TB)
	// Back is Kill and Start with what it had at the last Snapshot.
	Back(t testing.TB)
}

// A World is nodes at one server.
type World struct {
	Server  Server
	History int
	Logger  *slog.Logger
	nodes   []*Node
}

// A Node is a Log that may be stopped and started again, with what it has on disk.
type Node struct {
	w       *World
	name    string
	path    string
	log     atomic.Pointer[cluster.Log]
	store   *store.Follower
	deliver func(string, *codec.Message)
	cut     func(string, codec.ID)
}

// NewWorld returns n nodes. They begin with Deliver.
func NewWorld(t *testing.T, s Server, n, history int) *World {
	var paths []string
	for range n {
		paths = append(paths, filepath.Join(t.TempDir(), "edgechat.db"))
	}
	return newWorld(t, s, history, "node", paths)
}

// newWorld returns nodes with these files.
func newWorld(t *testing.T, s Server, history int, name string, paths []string) *World {
	w := &World{Server: s, History: history, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	for i, path := range paths {
		node := &Node{w: w, name: fmt.Sprint(name, i), path: path}
		w.nodes = append(w.nodes, node)
		node.open(t)
	}
	t.Cleanup(func() {
		for _, n := range w.nodes {
			n.Stop(t)
		}
	})
	return w
}

func (n *Node) open(t *testing.T) {
	t.Helper()
	f, err := store.OpenFollower(store.Config{Path: n.path, History: n.w.History, AckDelay: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	l, err := cluster.Open(cluster.Config{Store: f, Engine: n.w.Server.Engine(t), Node: n.name, Patience: nodePatience, ClaimTime: 300 * time.Millisecond, Logger: n.w.Logger})
	if err != nil {
		t.Fatal(err)
	}
	n.store = f
	n.log.Store(l)
}

// Log returns the log of the node as it is now.
func (n *Node) Log() *cluster.Log { return n.log.Load() }

// Stop closes the node in order.
func (n *Node) Stop(t *testing.T) {
	t.Helper()
	l := n.log.Swap(nil)
	if l == nil {
		return
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := n.store.Close(); err != nil {
		t.Error(err)
	}
	n.store = nil
}

// Begin is what follows Stop.
func (n *Node) Begin(t *testing.T) {
	t.Helper()
	n.open(t)
	n.begin(t)
}

// Nodes returns all.
func (w *World) Nodes() []*Node { return w.nodes }

// Follow has a node begin, with nobody who is told.
func (n *Node) Follow(t *testing.T) {
	t.Helper()
	n.deliver, n.cut = func(string, *codec.Message) {}, func(string, codec.ID) {}
	n.begin(t)
}

// Say appends a message and returns its receipt, or one with the error.
func (n *Node) Say(t *testing.T, room, content, key string) codec.Receipt {
	t.Helper()
	c := make(chan codec.Receipt, 1)
	m := codec.Message{Username: "ann", Content: content, Time: 1}
	if err := n.Log().Append(room, m, key, codec.Done{Tell: func(r codec.Receipt) { c <- r }}); err != nil {
		return codec.Receipt{Err: err}
	}
	select {
	case r := <-c:
		return r
	case <-time.After(patience):
		t.Fatalf("no receipt of %q", content)
	}
	panic("unreachable")
}

// SayTaken says it until it is taken, under a key.
func (n *Node) SayTaken(t *testing.T, room, content, key string) codec.ID {
	t.Helper()
	var r codec.Receipt
	logtest.Eventually(t, content+" is taken", func() bool {
		r = n.Say(t, room, content, key)
		return r.Err == nil
	})
	return r.ID
}

// SayMany says many messages at once, each under a key of its own, until all are taken. They are in no order.
func (n *Node) SayMany(t *testing.T, room string, many int) {
	t.Helper()
	left := make(map[string]bool, many)
	for i := range many {
		left[fmt.Sprint(i)] = true
	}
	type told struct {
		content string
		err     error
	}
	logtest.Eventually(t, "all are taken", func() bool {
		c := make(chan told, len(left))
		for content := range left {
			m := codec.Message{Username: "ann", Content: content, Time: 1}
			if err := n.Log().Append(room, m, "many "+content, codec.Done{Tell: func(r codec.Receipt) { c <- told{content, r.Err} }}); err != nil {
				c <- told{content, err}
			}
		}
		for range cap(c) {
			select {
			case x := <-c:
				if x.err == nil {
					delete(left, x.content)
				}
			case <-time.After(patience):
				t.Fatal("no receipt")
			}
		}
		return len(left) == 0
	})
}

// Contents returns what a room says.
func (n *Node) Contents(t *testing.T, room string) (list []string) {
	t.Helper()
	p, err := n.Log().Read(room, codec.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range p.Messages {
		list = append(list, m.Content)
	}
	return list
}

// Late returns a node of its own, with nothing in it, that comes to a server beside others.
func Late(t *testing.T, s Server) *Node {
	return newWorld(t, s, 1000, "late", []string{filepath.Join(t.TempDir(), "edgechat.db")}).nodes[0]
}

func (n *Node) begin(t *testing.T) {
	t.Helper()
	n.Log().Deliver(n.deliver, n.cut)
	logtest.Eventually(t, n.name+" is ready", func() bool { return n.Log().Ready() == nil })
}

// crash has the node go on from what is on its disk now, while nothing is said: else the two files would not be of one moment.
func (n *Node) crash(t *testing.T) {
	t.Helper()
	to := filepath.Join(t.TempDir(), "edgechat.db")
	for _, part := range []string{"", "-wal"} {
		b, err := os.ReadFile(n.path + part)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to+part, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.Stop(t)
	n.path = to
	n.open(t)
}

const patience = time.Minute

// nodePatience is how long a node waits for its engine.
const nodePatience = 3 * time.Second
