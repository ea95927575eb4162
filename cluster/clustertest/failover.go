package clustertest

import (
	"syscall"
	"testing"

	"edgechat/hub/logtest"
)

// A Pair is a primary and its replica, behind a proxy that leads to the primary. Kill, Start and Signal are those of the primary.
type Pair[M Machine] struct {
	Server   // by the proxy
	Proxy    *Proxy
	Primary  M
	Replica  M
	CaughtUp func(primary, replica M) // waits until the replica has what the primary has
	Promote  func(replica M)          // makes it a primary of its own, which hears nothing of the other from then on
	Another  func(old, primary M) M   // returns a new replica of a primary, for which a server that was killed may be used
}

// Kill is that of Server, and so is Start.
func (p *Pair[M]) Kill(t testing.TB)  { p.Primary.Kill(t) }
func (p *Pair[M]) Start(t testing.TB) { p.Primary.Start(t) }

// Signal is that of Machine, and so are Socket and Address.
func (p *Pair[M]) Signal(t testing.TB, sig syscall.Signal) { p.Primary.Signal(t, sig) }
func (p *Pair[M]) Socket() string                          { return p.Primary.Socket() }
func (p *Pair[M]) Address() string                         { return p.Primary.Address() }

// failOver kills the primary, and has the replica be the primary, whatever it has, and gives it another replica.
func (p *Pair[M]) failOver(t *testing.T) {
	p.Promote(p.Replica)
	old := p.Primary
	old.Kill(t)
	p.Proxy.To(p.Replica.Socket())
	p.Proxy.Cut()
	p.Primary = p.Replica
	p.Replica = p.Another(old, p.Primary)
}

// Promoted: a replica is promoted that lacks what came last. The nodes put that back, under the ids that it had.
func Promoted[M Machine](t *testing.T, p *Pair[M]) {
	list := Following(t, p, 2)
	list[0].SayTaken(t, "den", "1", "k1")
	p.CaughtUp(p.Primary, p.Replica)
	p.Promote(p.Replica)
	second := list[0].SayTaken(t, "den", "2", "k2")
	logtest.Eventually(t, "both have it", func() bool { return list[1].Log().Head("den") == second })
	p.Primary.Kill(t)
	p.Proxy.To(p.Replica.Socket())
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
func OldPrimary[M Machine](t *testing.T, p *Pair[M]) {
	list := Following(t, p, 2)
	first := list[0].SayTaken(t, "den", "1", "k1")
	logtest.Eventually(t, "both have it", func() bool { return list[1].Log().Head("den") == first })
	p.CaughtUp(p.Primary, p.Replica)
	p.Promote(p.Replica)
	p.Proxy.To(p.Replica.Socket())
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
	p.Proxy.To(p.Primary.Socket())
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
