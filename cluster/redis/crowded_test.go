package redis

import (
	"testing"

	"edgechat/cluster/clustertest"
)

func TestCrowded(t *testing.T) {
	t.Parallel()
	clustertest.Crowded(t, serve(t))
}
