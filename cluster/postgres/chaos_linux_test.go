package postgres

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
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

func chaos(t *testing.T, keeps bool, args ...string) {
	t.Parallel()
	s := serve(t, args...)
	clustertest.Chaos(t, clustertest.Target{Server: s, Keeps: keeps, Signal: func(sig syscall.Signal) { s.processes(t, sig) }}, 3, *chaosTime, seed())
}

// TestChaos: see clustertest.Chaos; at a server whose commits wait for the disk, at one whose do not, and at a pair of which the standby is promoted now and then.
func TestChaos(t *testing.T) {
	t.Parallel()
	t.Run("on", func(t *testing.T) { chaos(t, true) })
	t.Run("off", func(t *testing.T) { chaos(t, false, "-c", "synchronous_commit=off") })
	t.Run("promoted", func(t *testing.T) {
		t.Parallel()
		d := newDuo(t)
		clustertest.Chaos(t, clustertest.Target{Server: d, Signal: func(sig syscall.Signal) { d.primary.processes(t, sig) }, Promote: d.promote}, 3, *chaosTime, seed())
	})
}

// TestKills: see clustertest.Kills.
func TestKills(t *testing.T) {
	t.Parallel()
	t.Run("on", func(t *testing.T) { kills(t, true) })
	t.Run("off", func(t *testing.T) { kills(t, false, "-c", "synchronous_commit=off") })
}

func kills(t *testing.T, keeps bool, args ...string) {
	t.Parallel()
	const port = 5432
	n, err := edgetest.TryNet(t)
	if err == nil {
		_, err = exec.LookPath("nft")
	}
	if err != nil {
		t.Logf("no packet is lost: %v", err)
		s := serve(t, args...)
		clustertest.Kills(t, clustertest.Target{Server: s, Keeps: keeps, Signal: func(sig syscall.Signal) { s.processes(t, sig) }, Address: func(int) string { return s.address() }}, func(f func()) { f() }, 3, *chaosTime, seed())
		return
	}
	s := &inside{net: n}
	n.Do(func() { s.server = serve(t, append([]string{"-c", "listen_addresses=0.0.0.0"}, args...)...) })
	if t.Failed() { // which ended that goroutine alone
		t.FailNow()
	}
	at := func(node int) string { return fmt.Sprint("192.0.2.", 10+node) }
	clustertest.Kills(t, clustertest.Target{
		Server: s, Keeps: keeps, Signal: func(sig syscall.Signal) { s.processes(t, sig) },
		Address: func(node int) string {
			return fmt.Sprintf("host=%s port=%d user=postgres dbname=postgres sslmode=disable", at(node), port)
		},
		Drop: func(node int) func() { return clustertest.Drop(t, n, at(node), port) },
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

// A duo is a primary and its standby.
type duo struct {
	*proxied
	primary, standby *server
}

func newDuo(t *testing.T) *duo {
	primary := serve(t, "-c", "wal_keep_size=64MB")
	return &duo{behindProxy(t, primary), primary, standby(t, primary)}
}

func (d *duo) Kill(t testing.TB)  { d.primary.Kill(t) }
func (d *duo) Start(t testing.TB) { d.primary.Start(t) }

// promote has the standby be the primary, whatever it has, and gives it another one.
func (d *duo) promote(t *testing.T) {
	e := d.standby.open(t)
	defer e.Close()
	if _, err := e.exec("select pg_promote()"); err != nil {
		t.Fatal(err)
	}
	d.primary.Kill(t)
	d.proxy.To(d.standby.socket())
	d.proxy.Cut()
	if err := os.RemoveAll(d.primary.dir); err != nil {
		t.Fatal(err)
	}
	d.primary = d.standby
	d.standby = standby(t, d.primary)
}
