package clustertest

import (
	"testing"

	"edgechat/codec"
	"edgechat/hub"
	"edgechat/hub/logtest"
)

// A proxy is the log of a node, whichever it is. Deliver begins it.
type proxy struct {
	*Node
	t *testing.T
}

func (p proxy) Deliver(deliver func(string, *codec.Message), cut func(string, codec.ID)) {
	p.deliver, p.cut = deliver, cut
	p.begin(p.t)
}
func (p proxy) Append(room string, m codec.Message, key string, done codec.Done) error {
	return p.Log().Append(room, m, key, done)
}
func (p proxy) Revise(room string, m codec.Message, claim codec.Claim, key string, done codec.Done) error {
	return p.Log().Revise(room, m, claim, key, done)
}
func (p proxy) Read(room string, q codec.Query) (codec.Page, error) { return p.Log().Read(room, q) }
func (p proxy) Head(room string) codec.ID                           { return p.Log().Head(room) }
func (p proxy) Oldest(room string) codec.ID                         { return p.Log().Oldest(room) }

// Tested is a World for tests of logs.
type Tested struct {
	*World
	T *testing.T
}

// Node is that of logtest.World, and so are the others.
func (w Tested) Node(i int) hub.Log { return proxy{w.nodes[i], w.T} }

func (w Tested) Restart(t *testing.T, i int) hub.Log {
	w.nodes[i].Stop(t)
	w.nodes[i].open(t)
	return w.Node(i)
}

func (w Tested) Crash(t *testing.T, i int) hub.Log {
	w.nodes[i].crash(t)
	return w.Node(i)
}

func (w Tested) Break(t *testing.T) { w.Server.Kill(t) }
func (w Tested) Mend(t *testing.T)  { w.Server.Start(t) }

// Lose has all nodes but the last get what is lost, and be away while that one goes on without it.
func (w Tested) Lose(t *testing.T, do func()) {
	if len(w.nodes) < 2 {
		t.Skip("one node puts back all that it has")
	}
	with, without := w.nodes[:len(w.nodes)-1], w.nodes[len(w.nodes)-1]
	asFar := func() {
		t.Helper()
		for _, n := range w.nodes[1:] {
			logtest.Eventually(t, "all nodes are as far", func() bool { return n.Log() == nil || n.Log().Status().Position == w.nodes[0].Log().Status().Position })
		}
	}
	asFar()
	without.Stop(t)
	w.Server.Snapshot(t) // which may have restarted it
	w.nodes[0].SayTaken(t, "probe", "it takes messages", "probe")
	do()
	asFar()
	for _, n := range with {
		n.Stop(t)
	}
	w.Server.Back(t)
	without.Begin(t)
	for _, n := range with {
		n.Begin(t)
	}
}

// Durability names the tests of logs that pass by what is not durable, for RunLog.
var Durability = []string{"Receipts", "Keys", "DeletedOnce", "Restart", "Crash", "Epochs", "Cut", "Faults"}

// RunLog runs all that a hub.Log has to pass, or only some of it, each at what start returns. Those called Cut and Faults stop the server.
func RunLog(t *testing.T, nodes int, only []string, start func(t *testing.T) Server) {
	logtest.Run(t, logtest.Maker{Nodes: nodes, Only: only, Parallel: true, New: func(t *testing.T, nodes, history int) logtest.World {
		return Tested{NewWorld(t, start(t), nodes, history), t}
	}})
}
