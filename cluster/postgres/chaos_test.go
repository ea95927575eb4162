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

func chaos(t *testing.T, keeps bool, args ...string) {
	t.Parallel()
	seed := *chaosSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	clustertest.Chaos(t, serve(t, args...), 3, keeps, *chaosTime, seed)
}

// TestChaos: see clustertest.Chaos; at a server whose commits wait for the disk, and at one whose do not.
func TestChaos(t *testing.T) {
	t.Run("on", func(t *testing.T) { chaos(t, true) })
	t.Run("off", func(t *testing.T) { chaos(t, false, "-c", "synchronous_commit=off") })
}
