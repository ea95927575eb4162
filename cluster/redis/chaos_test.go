package redis

import (
	"flag"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"edgechat/cluster/clustertest"
)

var chaosTime = flag.Duration("chaos", 5*time.Second, "how long chaos takes")
var chaosSeed = flag.Uint64("seed", 0, "of chaos; 0 is another one each time")

func seed() uint64 {
	if *chaosSeed != 0 {
		return *chaosSeed
	}
	return rand.Uint64()
}

func chaos(t *testing.T, keeps bool, args ...string) {
	t.Parallel()
	clustertest.Chaos(t, serve(t, args...), 3, keeps, *chaosTime, seed())
}

// TestChaos: see clustertest.Chaos; at an engine that flushes each command, at one that does so each second, and at one that keeps no file.
func TestChaos(t *testing.T) {
	t.Parallel()
	t.Run("always", func(t *testing.T) { chaos(t, true) })
	t.Run("everysec", func(t *testing.T) { chaos(t, false, "--appendfsync", "everysec") })
	t.Run("nofile", func(t *testing.T) { chaos(t, false, "--appendonly", "no") })
}

// TestKills: see clustertest.Kills.
func TestKills(t *testing.T) {
	t.Parallel()
	t.Run("always", func(t *testing.T) { kills(t, true) })
	t.Run("nofile", func(t *testing.T) { kills(t, false, "--appendonly", "no") })
}

func kills(t *testing.T, keeps bool, args ...string) {
	t.Parallel()
	s := serve(t, args...)
	clustertest.Kills(t, s, filepath.Join(s.dir, "s"), 3, keeps, *chaosTime, seed())
}
