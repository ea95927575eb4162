package clustertest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"edgechat/cluster"
)

var chaosTime = flag.Duration("chaos", 3*time.Second, "how long chaos takes in each mode")
var chaosSeed = flag.Uint64("seed", 0, "of chaos; 0 is another one each time")

func seed() uint64 {
	if *chaosSeed != 0 {
		return *chaosSeed
	}
	return rand.Uint64()
}

// A Machine is a Server whose processes run here.
type Machine interface {
	Server
	// Signal reaches all of its processes.
	Signal(t testing.TB, sig syscall.Signal)
	// Socket is the path of its unix socket, and Address what Open is given to use that.
	Socket() string
	Address() string
}

// A Mode is how a server is set.
type Mode struct {
	Name string
	Args []string
	// Keeps says that it loses nothing when it is killed: else what a node alone had, that was away when the others agreed, is
	// there under another id, since it was said again under its key.
	Keeps bool
}

// A Lab is what a package of an engine brings to tests that do to servers whatever may happen to them.
type Lab[M Machine] struct {
	Modes []Mode
	// Serve starts a server that ends with the test; with Outside besides it is reached at Port of all addresses, and At is what Open is given then.
	Serve   func(t *testing.T, args ...string) M
	Outside []string
	Port    int
	At      func(host string) string
	// Open opens an engine.
	Open func(address string) (cluster.Engine, error)
	// Pair starts two.
	Pair func(t *testing.T) *Pair[M]
	// Net returns a network of the test's own, in which all of 192.0.2.0/24 is this machine, or why there is none.
	Net func(t testing.TB) (Net, error)
}

const nodesOfChaos = 3

// Chaos runs chaos in all modes, and at a pair of which the replica is promoted now and then.
func (lab Lab[M]) Chaos(t *testing.T) {
	for _, m := range lab.Modes {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			s := lab.Serve(t, m.Args...)
			runChaos(t, target{Machine: s, keeps: m.Keeps}, nodesOfChaos, *chaosTime, seed())
		})
	}
	t.Run("promoted", func(t *testing.T) {
		t.Parallel()
		p := lab.Pair(t)
		runChaos(t, target{Machine: p, promote: p.failOver}, nodesOfChaos, *chaosTime, seed())
	})
}

// Kills runs kills in all modes.
func (lab Lab[M]) Kills(t *testing.T) {
	for _, m := range lab.Modes {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			n, err := lab.Net(t)
			if err == nil {
				_, err = exec.LookPath("nft")
			}
			if err != nil {
				t.Logf("no packet is lost: %v", err)
				s := lab.Serve(t, m.Args...)
				runKills(t, target{Machine: s, keeps: m.Keeps, address: func(int) string { return s.Address() }}, func(f func()) { f() }, nodesOfChaos, *chaosTime, seed())
				return
			}
			host := func(node int) string { return fmt.Sprint("192.0.2.", 10+node) }
			runKills(t, target{
				Machine: lab.inside(t, n, m.Args...), keeps: m.Keeps,
				address: func(node int) string { return lab.At(host(node)) },
				drop:    func(node int) func() { return drop(t, n, host(node), lab.Port) },
			}, n.Do, nodesOfChaos, *chaosTime, seed())
		})
	}
}

// HalfOpen runs halfOpen.
func (lab Lab[M]) HalfOpen(t *testing.T) {
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("nft is not installed (apt-get install nftables)")
	}
	n, err := lab.Net(t)
	if err != nil {
		t.Skipf("no network of the test's own: %v", err)
	}
	lab.inside(t, n)
	const host = "192.0.2.1"
	e, err := lab.Open(lab.At(host))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	halfOpen(t, n, host, lab.Port, e)
}

// inside starts a server in a network.
func (lab Lab[M]) inside(t *testing.T, n Net, args ...string) Machine {
	t.Helper()
	var s M
	n.Do(func() { s = lab.Serve(t, append(append([]string(nil), lab.Outside...), args...)...) })
	if t.Failed() { // which ended that goroutine alone
		t.FailNow()
	}
	return inside{s, n}
}

// An inside server is in a network of the test's own.
type inside struct {
	Machine
	net Net
}

func (s inside) Start(t testing.TB) {
	t.Helper()
	s.net.Do(func() { s.Machine.Start(t) })
	if t.Failed() {
		t.FailNow()
	}
}
