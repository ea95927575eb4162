package clustertest

import (
	"fmt"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/hub/logtest"
)

// newNoticed is how long it may take until a node has seen that the engine has another log.
func newNoticed() *within {
	return &within{what: "noticed", most: 2 * time.Second, slack: slack}
}

// Flushed empties the engine three times while nothing is said: each time it is noticed within two seconds, what was there is put back,
// and an epoch begins that never was. Nodes that were started again in between know that too.
func Flushed(t *testing.T, s Server, flush func()) {
	list := Following(t, s, 2)
	first := list[0].SayTaken(t, "den", "first", "k")
	seen := map[string]bool{first.Epoch: true}
	anew := func() {
		t.Helper()
		name := list[0].Log().Status().State.Epoch.Name
		if seen[name] {
			t.Errorf("epoch %s began twice", name)
		}
		seen[name] = true
	}
	noticed := newNoticed()
	for round := range 3 {
		logtest.Eventually(t, "both have it", func() bool { return list[1].Log().Head("den").Offset == first.Offset })
		was := list[0].Log().Status().State.Epoch.N
		began := time.Now()
		flush()
		logtest.Eventually(t, "it is noticed", func() bool { return list[0].Log().Ready() != nil || list[0].Log().Status().State.Epoch.N > was })
		noticed.took(t, time.Since(began))
		for _, n := range list {
			logtest.Eventually(t, "it is ready", func() bool { return n.Log().Ready() == nil && n.Log().Status().State.Epoch.N > was })
		}
		anew()
		if round == 1 {
			for _, n := range list {
				n.Stop(t)
			}
			flush()
			for _, n := range list {
				n.Begin(t)
			}
			anew()
		}
	}
	noticed.hold(t)
	if again := list[1].SayTaken(t, "den", "again", "k"); again != first {
		t.Errorf("its key is that of %s, was %s", again, first)
	}
	if next := list[0].SayTaken(t, "den", "next", "l"); next.Offset != 2 {
		t.Errorf("the next is %s behind %s", next, first)
	}
}

// Forgotten: the engine forgets all, also where epochs began, while all nodes are away, so many times; the one that comes first lacks what another has. That
// other one takes back what the first lacks, and no more, and says it again. Nobody has used the server.
func Forgotten(t *testing.T, s Server, times int) {
	s.Snapshot(t) // of nothing
	list := Following(t, s, 2)
	var want []string
	for i := range 3 {
		want = append(want, fmt.Sprint(i))
		list[0].SayTaken(t, "den", want[i], "") // which nobody can say again
	}
	Same(t, list, "den", want...)
	list[0].Stop(t)
	list[1].SayTaken(t, "den", "alone", "k")
	list[1].Stop(t)
	for i := range times {
		list[0].Stop(t)
		s.Back(t)
		list[0].Begin(t)
		want = append(want, fmt.Sprint("first", i))
		list[0].SayTaken(t, "den", want[3+i], "")
	}
	list[1].Begin(t)
	Same(t, list, "den", append(want, "alone")...)
	if st := list[1].Log().Stats(); st.Rollbacks != 1 || st.Again != 1 || st.Leaps != 0 {
		t.Errorf("%+v", st)
	}
}

// LostEdited: what was said under a key, and edited, is said again as it was edited, and what was deleted is not.
func LostEdited(t *testing.T, s Server) {
	w := Tested{NewWorld(t, s, 2, 100), t}
	for _, n := range w.nodes {
		n.Follow(t)
	}
	n := w.nodes[0]
	revise := func(kind codec.Kind, target codec.ID, content string) {
		t.Helper()
		told := make(chan codec.Receipt, 1)
		m := codec.Message{Kind: kind, Target: target, Username: "ann", Content: content, Time: 2}
		if err := n.Log().Revise("den", m, codec.Claim{All: true}, "", codec.Done{Tell: func(r codec.Receipt) { told <- r }}); err != nil {
			t.Fatal(err)
		}
		if r := <-told; r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	w.Lose(t, func() {
		edited, deleted := n.SayTaken(t, "den", "frist", "k1"), n.SayTaken(t, "den", "gone", "k2")
		revise(codec.Edit, edited, "fist")
		revise(codec.Edit, edited, "first")
		revise(codec.Deletion, deleted, "")
	})
	Same(t, w.nodes, "den", "first")
}

// OldDump: the server loads an older dump of itself, with the token, while nothing is said: the first message after that is not given an id that was,
// whether it comes at once or after the nodes have noticed, and what is missing is put back. load loads what dump dumped.
func OldDump(t *testing.T, s Server, dump, load func()) {
	list := Following(t, s, 2)
	first := list[0].SayTaken(t, "den", "1", "k1")
	dump()
	noticed := newNoticed()
	for round := range 3 {
		key := fmt.Sprint("k2.", round)
		if round == 0 {
			key = "" // which nobody can say again
		}
		second := list[0].SayTaken(t, "den", fmt.Sprint("2.", round), key)
		logtest.Eventually(t, "both have it", func() bool { return list[1].Log().Head("den") == second })
		was := list[0].Log().Status().State
		began := time.Now()
		load()
		if round == 1 { // at once
			if r := list[1].Say(t, "den", "plain", ""); r.Err == nil && r.ID.Offset <= second.Offset {
				t.Errorf("taken as %s, behind %s", r.ID, second)
			} else if r.Err == nil {
				second = r.ID
			}
		}
		logtest.Eventually(t, "it is noticed", func() bool { return list[0].Log().Ready() != nil || list[0].Log().Status().State.Epoch.N > was.Epoch.N })
		noticed.took(t, time.Since(began))
		logtest.Eventually(t, "an epoch begins", func() bool { return list[0].Log().Status().State.Epoch.N > was.Epoch.N })
		if st := list[0].Log().Status().State; st.Run != was.Run {
			t.Fatalf("it is another run: %s, was %s", st.Run, was.Run)
		}
		next := list[1].SayTaken(t, "den", fmt.Sprint("3.", round), fmt.Sprint("k3.", round))
		if next.Offset != second.Offset+1 || next.Epoch == was.Epoch.Name {
			t.Errorf("%s behind %s", next, second)
		}
		if again := list[0].SayTaken(t, "den", "1", "k1"); again != first {
			t.Errorf("its key is that of %s, was %s", again, first)
		}
	}
	noticed.hold(t)
	want := []string{"1", "2.0", "3.0", "2.1", "3.1", "2.2", "3.2"}
	last := list[1].Log().Head("den")
	logtest.Eventually(t, "both have the last", func() bool { return list[0].Log().Head("den") == last })
	if all := list[0].Contents(t, "den"); len(all) > len(want) { // what has no key may be refused
		want = []string{"1", "2.0", "3.0", "2.1", "plain", "3.1", "2.2", "3.2"}
	}
	Same(t, list, "den", want...)
}
