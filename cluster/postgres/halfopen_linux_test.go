package postgres

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
	n.Do(func() { serve(t, "-c", "listen_addresses=127.0.0.1") })
	if t.Failed() { // which ended that goroutine alone
		t.FailNow()
	}
	clustertest.HalfOpen(t, n, "127.0.0.1", 5432, func() cluster.Engine {
		e, err := Open(Config{Address: "host=127.0.0.1 port=5432 user=postgres dbname=postgres sslmode=disable", Name: "test"})
		if err != nil {
			t.Fatal(err)
		}
		return e
	})
}
