package clustertest

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"edgechat/codec"
	"edgechat/hub/logtest"
	"edgechat/store"
)

// Backup writes what a node has to a file, while it is at work.
func (n *Node) Backup(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.store.Store().Backup(f); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// Seed gives a node that is stopped the history of a backup of another one.
func (n *Node) Seed(t *testing.T, file string) {
	t.Helper()
	if _, _, err := store.RestoreFollower(file, n.path); err != nil {
		t.Fatal(err)
	}
}

// history returns what a node would answer to who asks for all of a room, as bytes.
func (n *Node) history(t *testing.T, room string) string {
	t.Helper()
	var b []byte
	p, err := n.Log().Read(room, codec.Query{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Messages {
		b = codec.AppendMessage(b, codec.JSON, &p.Messages[i])
	}
	return string(b)
}

// Seed has a node come late that was seeded with a backup of another, which is made while that is at work; and one come back that was away for longer than
// the engine keeps messages: from a backup of another too. Both have the same history as the others, byte for byte, and
// close the gap of who comes with an old cursor; a node that came without a backup does not, and says so. The server keeps some hundred
// messages, once it was told to drop the others.
func Seed(t *testing.T, s Server, trim func(keep int)) {
	w := NewWorld(t, s, 3, 5000)
	first, late, away := w.nodes[0], w.nodes[1], w.nodes[2]
	first.Follow(t)
	away.Follow(t)
	seen := first.SayTaken(t, "den", "seen", "k")
	logtest.Eventually(t, "both have it", func() bool { return away.Log().Head("den") == seen })
	away.Stop(t)
	say := func(what string, n int) {
		for i := range n {
			first.SayTaken(t, []string{"den", "hall"}[i%2], fmt.Sprint(what, i), fmt.Sprint(what, i))
		}
	}
	say("before the backup ", 300)
	file := t.TempDir() + "/seed"
	stop, stopped := make(chan bool), make(chan bool)
	var taken atomic.Int32
	go func() { // somebody talks all the time
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				if r := first.Say(t, "den", fmt.Sprint("meanwhile ", i), ""); r.Err == nil { // else the machine does something else
					taken.Add(1)
				}
			}
		}
	}()
	logtest.Eventually(t, "somebody talks", func() bool { return taken.Load() > 0 })
	first.Backup(t, file)
	close(stop)
	<-stopped
	say("since the backup ", 20)
	trim(200)

	late.Stop(t)
	late.Seed(t, file)
	late.open(t)
	late.Follow(t)
	same := func(n *Node) {
		t.Helper()
		logtest.Eventually(t, "it has all", func() bool {
			return n.Log().Head("den") == first.Log().Head("den") && n.Log().Head("hall") == first.Log().Head("hall")
		})
		for _, room := range []string{"den", "hall"} {
			if want, got := first.history(t, room), n.history(t, room); got != want {
				t.Errorf("%s: %.300s... in place of %.300s...", room, got, want)
			}
		}
		if p, err := n.Log().Read("den", codec.Query{After: &seen}); err != nil || !p.Recovered || p.Messages[0].ID.Offset != seen.Offset+1 {
			t.Errorf("an old cursor: recovered %v, %d messages, %v", p.Recovered, len(p.Messages), err)
		}
		if st := n.Log().Stats(); st.Leaps > 0 {
			t.Errorf("it missed some: %+v", st)
		}
	}
	same(late)

	away.Begin(t)
	logtest.Eventually(t, "it is up to date", func() bool { return away.Log().Head("den") == first.Log().Head("den") })
	if p, err := away.Log().Read("den", codec.Query{After: &seen}); err != nil || p.Recovered {
		t.Errorf("recovered over a hole: %v %v", p.Recovered, err)
	}
	away.Stop(t)
	away.Seed(t, file)
	away.Begin(t)
	same(away)
	last := away.SayTaken(t, "den", "by who was away", "l")
	for _, n := range w.nodes {
		logtest.Eventually(t, "all have the last", func() bool { return n.Log().Head("den") == last })
	}
	same(late)
	same(away)
}
