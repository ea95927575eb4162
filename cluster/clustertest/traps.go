package clustertest

import (
	"fmt"
	"testing"

	"edgechat/codec"
	"edgechat/hub/logtest"
)

// Following returns nodes that follow.
func Following(t *testing.T, s Server, n int) []*Node {
	t.Helper()
	list := NewWorld(t, s, n, 1000).Nodes()
	for _, n := range list {
		n.Follow(t)
	}
	return list
}

// AnswerLost: an append whose answer is lost is executed once. Under a key it is told as taken; without one that it is not known. request is in an append alone.
func AnswerLost(t *testing.T, s Server, p *Proxy, request string) {
	n := Following(t, s, 1)[0]
	n.SayTaken(t, "den", "first", "k1")
	p.Lose(request)
	logtest.Eventually(t, "it is asked", func() bool { // it is not where the engine is away
		r := n.Say(t, "den", "keyed", "k2")
		if p.Lost() == 1 && (r.Err != nil || r.ID.Offset != 2) {
			t.Fatalf("with a key: %+v", r)
		}
		return p.Lost() == 1
	})
	p.Lose(request)
	logtest.Eventually(t, "it is asked", func() bool { // it is not where the engine is away
		if r := n.Say(t, "den", "plain", ""); r.Err == nil {
			t.Fatalf("without a key: %+v", r)
		}
		return p.Lost() == 2
	})
	n.SayTaken(t, "den", "last", "k3")
	Same(t, []*Node{n}, "den", "first", "keyed", "plain", "last")
}

// Retention: a node that was away for longer than the log keeps has a hole, and says so; what follows it has whole. The server keeps some hundred messages, once it was
// told to drop the others.
func Retention(t *testing.T, s Server, trim func(keep int)) {
	list := Following(t, s, 2)
	seen := list[0].SayTaken(t, "den", "seen", "k")
	logtest.Eventually(t, "both have it", func() bool { return list[1].Log().Head("den").Offset == 1 })
	list[1].Stop(t)
	list[0].SayMany(t, "den", 500)
	trim(100)
	list[1].Begin(t)
	if st := list[1].Log().Stats(); st.Leaps == 0 {
		t.Errorf("nothing was missed: %+v", st)
	}
	if head := list[1].Log().Head("den"); head.Offset != 501 {
		t.Errorf("head %s", head)
	}
	p, err := list[1].Log().Read("den", codec.Query{After: &seen})
	if err != nil || p.Recovered {
		t.Errorf("recovered over a hole: %+v %v", p.Recovered, err)
	}
	last := list[0].SayTaken(t, "den", "last", "l")
	logtest.Eventually(t, "both have it", func() bool { return list[1].Log().Head("den") == last })
}

// RestartedIdle kills the engine while nothing is said, and starts it again: no connection of its earlier run is used for what is said then, by whichever node.
func RestartedIdle(t *testing.T, s Server) {
	list := Following(t, s, 2)
	var want []string
	for i := range 2 {
		for k, n := range list {
			content := fmt.Sprint(i, ".", k)
			if id := n.SayTaken(t, "den", content, content); id.Offset != uint64(len(want)+1) {
				t.Errorf("%s is number %d", id, len(want)+1)
			}
			want = append(want, content)
		}
		Same(t, list, "den", want...)
		was := list[0].Log().Status().State.Run
		s.Kill(t)
		s.Start(t)
		for _, n := range list {
			logtest.Eventually(t, "it is ready", func() bool { return n.Log().Ready() == nil && n.Log().Status().State.Run != was })
		}
	}
	list[1].SayTaken(t, "den", "last", "last")
	Same(t, list, "den", append(want, "last")...)
}

// Lagging: a node that was away while the engine began two epochs has all under the ids that the others have, byte for byte: the epoch of a message is that of its position.
// So has one that comes then with nothing, and cursors of each epoch are good at all.
func Lagging(t *testing.T, s Server) {
	list := Following(t, s, 2)
	var want []string
	var ids []codec.ID
	say := func(content string) {
		ids, want = append(ids, list[0].SayTaken(t, "den", content, content)), append(want, content)
	}
	say("1")
	Same(t, list, "den", want...)
	list[1].Stop(t)
	say("2")
	for i := range 2 {
		was := list[0].Log().Status().State.Epoch.N
		s.Kill(t)
		s.Start(t)
		logtest.Eventually(t, "an epoch begins", func() bool { return list[0].Log().Ready() == nil && list[0].Log().Status().State.Epoch.N > was })
		say(fmt.Sprint(i, ".3"))
		say(fmt.Sprint(i, ".4"))
	}
	if ids[1].Epoch == ids[2].Epoch || ids[2].Epoch == ids[4].Epoch {
		t.Errorf("ids %v", ids)
	}
	list[1].Begin(t)
	late := Late(t, s)
	late.Follow(t)
	list = append(list, late)
	Same(t, list, "den", want...)
	for _, n := range list {
		for i, id := range ids {
			p, err := n.Log().Read("den", codec.Query{After: &id})
			if err != nil || !p.Recovered || len(p.Messages) != len(ids)-i-1 {
				t.Errorf("%s has %d behind %s, recovered %t: %v", n.name, len(p.Messages), id, p.Recovered, err)
			}
		}
	}
}
