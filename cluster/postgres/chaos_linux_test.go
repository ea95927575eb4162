package postgres

import (
	"fmt"
	"testing"

	"edgechat/cluster/clustertest"
	"edgechat/internal/edgetest"
)

// lab has a server whose commits wait for the disk, and one whose do not.
var lab = clustertest.Lab[*server]{
	Modes: []clustertest.Mode{
		{Name: "on", Keeps: true},
		{Name: "off", Args: []string{"-c", "synchronous_commit=off"}},
	},
	Serve:   func(t *testing.T, args ...string) *server { return serve(t, args...) },
	Outside: []string{"-c", "listen_addresses=0.0.0.0"},
	Port:    5432,
	At: func(host string) string {
		return fmt.Sprintf("host=%s port=5432 user=postgres dbname=postgres sslmode=disable", host)
	},
	Open: open,
	Pair: failing,
	Net:  func(t testing.TB) (clustertest.Net, error) { return edgetest.TryNet(t) },
}

// TestChaos: see clustertest.Lab.
func TestChaos(t *testing.T) {
	t.Parallel()
	lab.Chaos(t)
}

// TestKills: see clustertest.Lab.
func TestKills(t *testing.T) {
	t.Parallel()
	lab.Kills(t)
}

// TestHalfOpen: see clustertest.Lab.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	lab.HalfOpen(t)
}
