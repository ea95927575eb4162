package clustertest

import (
	"testing"

	"edgechat/hub/logtest"
)

// A Pair is a primary and its replica, behind a proxy that leads to the primary.
type Pair struct {
	Server    // by the proxy
	Proxy     *Proxy
	Primary   Server
	ReplicaAt string // its socket
	PrimaryAt string // that of the primary
	CaughtUp  func() // waits until the replica has what the primary has
	Promote   func() // makes the replica a primary of its own, which hears nothing of the other from then on
}

// Promoted: a replica is promoted that lacks what came last. The nodes put that back, under the ids that it had.
func Promoted(t *testing.T, p Pair) {
	list := Following(t, p, 2)
	list[0].SayTaken(t, "den", "1", "k1")
	p.CaughtUp()
	p.Promote()
	second := list[0].SayTaken(t, "den", "2", "k2")
	logtest.Eventually(t, "both have it", func() bool { return list[1].Log().Head("den") == second })
	p.Primary.Kill(t)
	p.Proxy.To(p.ReplicaAt)
	third := list[1].SayTaken(t, "den", "3", "k3")
	if third.Offset != 3 || third.Epoch == second.Epoch {
		t.Errorf("%s behind %s", third, second)
	}
	if again := list[0].SayTaken(t, "den", "2", "k2"); again != second {
		t.Errorf("its key is that of %s, was %s", again, second)
	}
	Same(t, list, "den", "1", "2", "3")
}

// OldPrimary: a replica is promoted, and later nodes are led back to the old primary, which is as it was, says that its log is verified, and has what
// nobody was told of. It is not believed: what was said since is put back, under the same ids, and what only it has is taken away.
func OldPrimary(t *testing.T, p Pair) {
	list := Following(t, p, 2)
	first := list[0].SayTaken(t, "den", "1", "k1")
	logtest.Eventually(t, "both have it", func() bool { return list[1].Log().Head("den") == first })
	p.CaughtUp()
	p.Promote()
	p.Proxy.To(p.ReplicaAt)
	p.Proxy.Cut()
	second := list[0].SayTaken(t, "den", "2", "k2")
	third := list[1].SayTaken(t, "den", "3", "") // which nobody could say again
	if second.Epoch == first.Epoch {
		t.Fatalf("%s behind %s", second, first)
	}
	logtest.Eventually(t, "both have it", func() bool { return list[0].Log().Head("den") == third })

	e := p.Primary.Engine(t) // of a node that never heard of the failover, and was not answered
	defer e.Close()
	st, err := e.State(t.Context())
	if err != nil || !st.Verified {
		t.Fatalf("%+v %v", st, err)
	}
	if _, err := e.Append(t.Context(), st.Run, 0, Items("den", "astray 1", "", "astray 2", "k4", "astray 3", "")); err != nil {
		t.Fatal(err)
	}
	p.Proxy.To(p.PrimaryAt)
	p.Proxy.Cut()
	fourth := list[0].SayTaken(t, "den", "4", "k4")
	if fourth.Offset != 4 || fourth.Epoch == second.Epoch || fourth.Epoch == first.Epoch {
		t.Errorf("%s behind %s", fourth, third)
	}
	late := Late(t, p.Primary) // which has all from the engine
	late.Follow(t)
	Same(t, append(list, late), "den", "1", "2", "3", "4")
	retracted := uint64(0)
	for _, n := range list {
		st := n.Log().Stats()
		if retracted += st.Retracted; st.Rollbacks > 0 || st.Leaps > 0 {
			t.Errorf("a node went back: %+v", st)
		}
	}
	if retracted < 3 { // more if who led was too slow, and another began anew
		t.Errorf("%d messages were retracted", retracted)
	}
}
