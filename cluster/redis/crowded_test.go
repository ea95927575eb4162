package redis

import (
	"testing"

	"edgechat/cluster/clustertest"
)

// TestCrowded: see clustertest.Crowded.
func TestCrowded(t *testing.T) {
	t.Parallel()
	clustertest.Crowded(t, serve(t))
}

// TestPresence: see clustertest.Presence.
func TestPresence(t *testing.T) {
	t.Parallel()
	clustertest.Presence(t, serve(t))
}
