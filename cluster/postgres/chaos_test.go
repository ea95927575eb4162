package postgres

import (
	"flag"
	"math/rand/v2"
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

// TestChaos: see clustertest.Chaos; at a server whose commits wait for the disk, and at one whose do not.
func TestChaos(t *testing.T) {
	t.Parallel()
	t.Run("on", func(t *testing.T) { chaos(t, true) })
	t.Run("off", func(t *testing.T) { chaos(t, false, "-c", "synchronous_commit=off") })
}

// TestKills: see clustertest.Kills.
func TestKills(t *testing.T) {
	t.Parallel()
	t.Run("on", func(t *testing.T) { kills(t, true) })
	t.Run("off", func(t *testing.T) { kills(t, false, "-c", "synchronous_commit=off") })
}

func kills(t *testing.T, keeps bool, args ...string) {
	t.Parallel()
	s := serve(t, args...)
	clustertest.Kills(t, s, s.address(), 3, keeps, *chaosTime, seed())
}
