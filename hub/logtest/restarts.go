package logtest

import (
	"errors"
	"fmt"
	"testing"

	"edgechat/codec"
)

// restart: after a stop in order all is there, under the same ids, and the run of numbers goes on.
func restart(t *testing.T, m Maker) {
	w, n := one(t, m, 100)
	ids := n.sayAll("den", 1, 3)
	n = listen(t, w.Restart(t, 0))
	n.want("after a restart", "den", codec.Query{After: &ids[0]}, "2 3")
	for i, x := range n.page("den", codec.Query{}).Messages {
		if x.ID != ids[i] {
			t.Errorf("message %d is %s, was %s", i+1, x.ID, ids[i])
		}
	}
	if id := n.say("den", "4", ""); id.Offset != 4 || id.Epoch != ids[0].Epoch {
		t.Errorf("the next is %s behind %s", id, ids[2])
	}
}

// crash: after a kill all that a receipt called durable is there, no id is given twice, and cursors are good.
func crash(t *testing.T, m Maker) {
	w, n := one(t, m, 100)
	given := map[codec.ID]string{}
	var last codec.ID
	for round := range 3 {
		for i := range 3 {
			content := fmt.Sprint(round, ".", i)
			last = n.say("den", content, content)
			if was, ok := given[last]; ok {
				t.Fatalf("%s is %q, and was %q", last, content, was)
			}
			given[last] = content
		}
		n = listen(t, w.Crash(t, 0))
		got := map[codec.ID]string{}
		for _, x := range n.page("den", codec.Query{}).Messages {
			got[x.ID] = x.Content
		}
		for id, content := range given {
			if got[id] != content {
				t.Errorf("%s is %q, was %q", id, got[id], content)
			}
		}
		n.want("after the last", "den", codec.Query{After: &last}, "")
		if again := n.say("den", "again", fmt.Sprint(round, ".1")); given[again] != fmt.Sprint(round, ".1") {
			t.Errorf("its key is that of %s", again)
		}
	}
}

// epochs: a message has one id, byte for byte, for all nodes, whenever it is read.
func epochs(t *testing.T, m Maker) {
	w := m.New(t, max(1, m.Nodes), 1000)
	nodes := each(t, m, w)
	for round := range 3 {
		for i, n := range nodes {
			n.sayAll("den", round*10+i, round*10+i+2)
		}
		for _, n := range nodes {
			Eventually(t, "all is everywhere", func() bool { return n.Head("den").Offset == uint64((round+1)*3*len(nodes)) })
		}
		i := round % len(nodes)
		nodes[i] = listen(t, w.Crash(t, i))
		first := nodes[0].page("den", codec.Query{}).Messages
		for k, n := range nodes {
			for at, x := range n.page("den", codec.Query{}).Messages {
				if x.ID != first[at].ID || x.Content != first[at].Content {
					t.Fatalf("node %d has %s %q, node 0 %s %q", k, x.ID, x.Content, first[at].ID, first[at].Content)
				}
			}
			cursor := first[1].ID
			if p := n.page("den", codec.Query{After: &cursor}); !p.Recovered || len(p.Messages) != len(first)-2 {
				t.Errorf("node %d: %d behind %s, recovered %t", k, len(p.Messages), cursor, p.Recovered)
			}
		}
	}
}

// cut: a log that lost its newest messages says so, gives no id again, and takes old cursors for what they are.
func cut(t *testing.T, m Maker) {
	w := m.New(t, max(1, m.Nodes), 100)
	loser, ok := w.(Loser)
	if !ok {
		t.Skip("it never goes back while it runs")
	}
	nodes := each(t, m, w)
	ids := nodes[0].sayAll("den", 1, 3)
	var lost []codec.ID
	loser.Lose(t, func() {
		for i := 4; i <= 6; i++ {
			if r := nodes[0].try("den", message(fmt.Sprint(i)), codec.Claim{}, ""); r.Err == nil {
				lost = append(lost, r.ID)
			}
		}
	})
	if len(lost) == 0 {
		t.Fatal("nothing was lost")
	}
	told := 0
	for i, n := range nodes {
		if !n.toldAny(lost) { // it has nothing to be cut
			Eventually(t, "it is as far as before", func() bool { return n.Head("den").Offset == 3 })
		} else {
			told++
			Eventually(t, fmt.Sprint("node ", i, " is told of the cut"), func() bool { return len(n.cutOf("den")) > 0 && n.Head("den").Offset == 3 })
		}
		n.want("what is left", "den", codec.Query{}, "1 2 3")
		n.want("behind what is there", "den", codec.Query{After: &ids[0]}, "2 3")
		n.want("behind what was lost", "den", codec.Query{After: &lost[len(lost)-1]}, "")
	}
	if want := max(1, len(nodes)-1); told < want {
		t.Errorf("%d nodes were delivered what was lost, want %d", told, want)
	}
	next := nodes[0].say("den", "next", "")
	if next.Offset != 4 || next.Epoch == ids[0].Epoch {
		t.Errorf("the next is %s, and %s was lost", next, lost[0])
	}
	for _, n := range nodes {
		Eventually(t, "it is everywhere", func() bool { return n.Head("den").Offset == 4 })
		n.want("behind what was lost", "den", codec.Query{After: &lost[len(lost)-1]}, "next")
	}
}

// faults: while what makes messages safe fails, no receipt says that one is; reading goes on; and it recovers.
func faults(t *testing.T, m Maker) {
	w, n := one(t, m, 1000)
	b, ok := w.(Breaker)
	if !ok {
		t.Skip("nothing breaks here")
	}
	id := n.say("den", "before", "")
	b.Break(t)
	r := n.try("den", message("meanwhile"), codec.Claim{}, "k")
	if r.Err == nil && r.Durable {
		t.Errorf("receipt %+v", r)
	}
	if errors.Is(r.Err, codec.ErrNoTarget) {
		t.Errorf("a message has no target: %v", r.Err)
	}
	if p := n.page("den", codec.Query{}); len(p.Messages) == 0 || p.Messages[0].ID != id {
		t.Errorf("read %+v", p)
	}
	b.Mend(t)
	Eventually(t, "it recovers", func() bool {
		r := n.try("den", message("after"), codec.Claim{}, "")
		return r.Err == nil && r.Durable
	})
	again := n.say("den", "meanwhile", "k")
	if r.Err == nil && again != r.ID {
		t.Errorf("under its key it is %s, was %s", again, r.ID)
	}
}
