package redis

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"edgechat/cluster/clustertest"
	"edgechat/internal/edgetest"
)

var chaosTime = flag.Duration("chaos", 3*time.Second, "how long chaos takes")
var chaosSeed = flag.Uint64("seed", 0, "of chaos; 0 is another one each time")

func seed() uint64 {
	if *chaosSeed != 0 {
		return *chaosSeed
	}
	return rand.Uint64()
}

func (s *server) signal(t *testing.T) func(syscall.Signal) {
	return func(sig syscall.Signal) {
		if err := s.cmd.Process.Signal(sig); err != nil {
			t.Error(err)
		}
	}
}

func chaos(t *testing.T, keeps bool, args ...string) {
	t.Parallel()
	s := serve(t, args...)
	clustertest.Chaos(t, clustertest.Target{Server: s, Keeps: keeps, Signal: s.signal(t)}, 3, *chaosTime, seed())
}

// TestChaos: see clustertest.Chaos; at an engine that flushes each command, at one that does so each second, at one that keeps no file, and at a pair
// of which the replica is promoted now and then.
func TestChaos(t *testing.T) {
	t.Parallel()
	t.Run("always", func(t *testing.T) { chaos(t, true) })
	t.Run("everysec", func(t *testing.T) { chaos(t, false, "--appendfsync", "everysec") })
	t.Run("nofile", func(t *testing.T) { chaos(t, false, "--appendonly", "no") })
	t.Run("promoted", func(t *testing.T) {
		t.Parallel()
		d := newDuo(t)
		clustertest.Chaos(t, clustertest.Target{Server: d, Signal: func(sig syscall.Signal) { d.primary.signal(t)(sig) }, Promote: d.promote}, 3, *chaosTime, seed())
	})
}

// TestKills: see clustertest.Kills.
func TestKills(t *testing.T) {
	t.Parallel()
	t.Run("always", func(t *testing.T) { kills(t, true) })
	t.Run("everysec", func(t *testing.T) { kills(t, false, "--appendfsync", "everysec") })
	t.Run("nofile", func(t *testing.T) { kills(t, false, "--appendonly", "no") })
}

func kills(t *testing.T, keeps bool, args ...string) {
	t.Parallel()
	const port = 7000
	n, err := edgetest.TryNet(t)
	if err == nil {
		_, err = exec.LookPath("nft")
	}
	if err != nil {
		t.Logf("no packet is lost: %v", err)
		s := serve(t, args...)
		clustertest.Kills(t, clustertest.Target{Server: s, Keeps: keeps, Signal: s.signal(t), Address: func(int) string { return s.socket() }}, func(f func()) { f() }, 3, *chaosTime, seed())
		return
	}
	s := &inside{net: n}
	n.Do(func() {
		s.server = serve(t, append([]string{"--port", fmt.Sprint(port), "--protected-mode", "no"}, args...)...)
	})
	if t.Failed() { // which ended that goroutine alone
		t.FailNow()
	}
	at := func(node int) string { return fmt.Sprint("192.0.2.", 10+node) }
	clustertest.Kills(t, clustertest.Target{
		Server: s, Keeps: keeps, Signal: s.signal(t),
		Address: func(node int) string { return fmt.Sprint(at(node), ":", port) },
		Drop:    func(node int) func() { return clustertest.Drop(t, n, at(node), port) },
	}, n.Do, 3, *chaosTime, seed())
}

// An inside server is in a network of the test's own.
type inside struct {
	*server
	net *edgetest.Net
}

func (s *inside) Start(t testing.TB) {
	t.Helper()
	s.net.Do(func() { s.server.Start(t) })
	if t.Failed() {
		t.FailNow()
	}
}

// A duo is a primary and its replica, which change places.
type duo struct {
	*proxied
	primary, replica *server
}

func newDuo(t *testing.T) *duo {
	primary, replica := pair(t)
	return &duo{behindProxy(t, primary), primary, replica}
}

func (d *duo) Kill(t testing.TB)  { d.primary.Kill(t) }
func (d *duo) Start(t testing.TB) { d.primary.Start(t) }

// promote has the replica be the primary, whatever it has, and the primary that was its replica.
func (d *duo) promote(t *testing.T) {
	d.replica.do(t, "REPLICAOF", "NO", "ONE")
	d.primary.Kill(t)
	d.proxy.To(d.replica.socket())
	d.proxy.Cut()
	d.primary, d.replica = d.replica, d.primary
	d.replica.Start(t)
	d.replica.follow(t, d.primary)
}
