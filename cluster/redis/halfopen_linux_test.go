package redis

import (
	"testing"

	"edgechat/cluster"
	"edgechat/cluster/clustertest"
	"edgechat/internal/edgetest"
)

// TestHalfOpen: see clustertest.HalfOpen.
func TestHalfOpen(t *testing.T) {
	t.Parallel()
	clustertest.NeedsNft(t)
	n := edgetest.NewNet(t)
	n.Do(func() { serve(t, "--port", "7000", "--protected-mode", "no") })
	if t.Failed() { // which ended that goroutine alone
		t.FailNow()
	}
	clustertest.HalfOpen(t, n, "192.0.2.1", 7000, func() cluster.Engine {
		e, err := Open(Config{Address: "192.0.2.1:7000", Name: "test"})
		if err != nil {
			t.Fatal(err)
		}
		return e
	})
}
