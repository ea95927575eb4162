package redis

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"edgechat/cluster/clustertest"
)

var chaosTime = flag.Duration("chaos", 5*time.Second, "how long chaos takes")
var chaosSeed = flag.Uint64("seed", 0, "of chaos; 0 is another one each time")

func chaos(t *testing.T, keeps bool, args ...string) {
	t.Parallel()
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	clustertest.Chaos(t, serve(t, args...), 3, keeps, *chaosTime, seed)
}

// TestChaos: see clustertest.Chaos; at an engine that flushes each command, at one that does so each second, and at one that keeps no file.
func TestChaos(t *testing.T) {
	t.Run("always", func(t *testing.T) { chaos(t, true) })
	t.Run("everysec", func(t *testing.T) { chaos(t, false, "--appendfsync", "everysec") })
	t.Run("nofile", func(t *testing.T) { chaos(t, false, "--appendonly", "no") })
}
