package redis

import (
	"testing"

	"edgechat/cluster/clustertest"
	"edgechat/internal/edgetest"
)

// lab has a server that flushes each command, one that does so each second, and one that keeps no file.
var lab = clustertest.Lab[*server]{
	Modes: []clustertest.Mode{
		{Name: "always", Keeps: true},
		{Name: "everysec", Args: []string{"--appendfsync", "everysec"}},
		{Name: "nofile", Args: []string{"--appendonly", "no"}},
	},
	Serve:   func(t *testing.T, args ...string) *server { return serve(t, args...) },
	Outside: []string{"--port", "7000", "--protected-mode", "no"},
	Port:    7000,
	At:      func(host string) string { return host + ":7000" },
	Open:    open,
	Pair:    failing,
	Net:     func(t testing.TB) (clustertest.Net, error) { return edgetest.TryNet(t) },
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
