package redis

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"edgechat/cluster"
	"edgechat/cluster/clustertest"
	"edgechat/codec"
	"edgechat/hub/logtest"
)

// nodes returns nodes that follow.
func nodes(t *testing.T, s clustertest.Server, n int) []*clustertest.Node {
	t.Helper()
	return clustertest.Following(t, s, n)
}

// TestEvicts: a server that would evict what is acknowledged, or the keys that are to be known, takes nothing, and says why.
func TestEvicts(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"allkeys-lru", "volatile-lru"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			s := serve(t, "--maxmemory", "4mb", "--maxmemory-policy", policy)
			n := clustertest.NewWorld(t, s, 1, 1000).Nodes()[0]
			n.Log().Deliver(func(string, *codec.Message) {}, func(string, codec.ID) {})
			logtest.Eventually(t, "it says so", func() bool {
				err := n.Log().Ready()
				return err != nil && strings.Contains(err.Error(), "maxmemory-policy is "+policy)
			})
			if r := n.Say(t, "den", "x", "k"); r.Err == nil {
				t.Errorf("taken as %s", r.ID)
			}
		})
	}
}

// TestEvicted: a server is set to evict while nodes use it, and does: what it took is kept by the nodes, and no id is given twice.
func TestEvicted(t *testing.T) {
	t.Parallel()
	s := serve(t)
	n := nodes(t, s, 1)[0]
	first := n.SayTaken(t, "den", "first", "k1")
	s.do(t, "CONFIG", "SET", "maxmemory-policy", "allkeys-random")
	s.do(t, "CONFIG", "SET", "maxmemory", "1")
	if r := n.Say(t, "den", "second", ""); r.Err == nil { // also where it came before the nodes have seen it
		t.Errorf("taken as %s", r.ID)
	}
	if left, ok := s.do(t, "DBSIZE").(int64); !ok || left > 0 {
		t.Logf("%d keys are left", left)
	}
	s.do(t, "CONFIG", "SET", "maxmemory", "0")
	s.do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
	third := n.SayTaken(t, "den", "third", "k3")
	if third.Offset < 2 || third.Offset > 3 {
		t.Errorf("%s behind %s", third, first)
	}
	if again := n.SayTaken(t, "den", "first", "k1"); again != first {
		t.Errorf("its key is that of %s, was %s", again, first)
	}
}

// TestFull: a server without memory left refuses; nothing is lost and no id is given twice once it has some.
func TestFull(t *testing.T) {
	t.Parallel()
	s := serve(t, "--maxmemory-policy", "noeviction")
	n := nodes(t, s, 1)[0]
	first := n.SayTaken(t, "den", "first", "k1")
	s.do(t, "CONFIG", "SET", "maxmemory", "1")
	if r := n.Say(t, "den", "second", "k2"); r.Err == nil {
		t.Errorf("taken as %s", r.ID)
	}
	s.do(t, "CONFIG", "SET", "maxmemory", "0")
	if second := n.SayTaken(t, "den", "second", "k2"); second.Offset != first.Offset+1 {
		t.Errorf("%s behind %s", second, first)
	}
}

// TestHeadsLost: without the sentinel nothing is appended, since offsets would begin again.
func TestHeadsLost(t *testing.T) {
	t.Parallel()
	s := serve(t)
	n := nodes(t, s, 1)[0]
	first := n.SayTaken(t, "den", "first", "k1")
	s.do(t, "DEL", "edgechat:{test}:heads")
	if second := n.SayTaken(t, "den", "second", "k2"); second.Offset != 2 || second.Epoch == first.Epoch {
		t.Errorf("%s behind %s", second, first)
	}
}

// A keeping server's log keeps little.
type keeping struct{ *server }

func (s *keeping) Engine(t testing.TB) cluster.Engine {
	e, err := Open(Config{Address: filepath.Join(s.dir, "s"), Name: "test", Keep: 100})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestStopped: see clustertest.Stopped.
func TestStopped(t *testing.T) {
	t.Parallel()
	clustertest.Stopped(t, serve(t))
}

// TestAnswerLost: see clustertest.AnswerLost.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	s := behindProxy(t, serve(t))
	clustertest.AnswerLost(t, s, s.proxy, "EVALSHA")
}

// TestRetention: see clustertest.Retention.
func TestRetention(t *testing.T) {
	t.Parallel()
	clustertest.Retention(t, &keeping{serve(t)}, func(int) {})
}

// TestRestartedIdle: see clustertest.RestartedIdle.
func TestRestartedIdle(t *testing.T) {
	t.Parallel()
	clustertest.RestartedIdle(t, serve(t))
}

// TestLagging: see clustertest.Lagging.
func TestLagging(t *testing.T) {
	t.Parallel()
	clustertest.Lagging(t, serve(t))
}

// TestReadOnly: a server that takes no writes for want of replicas refuses, and so does one that became a replica, which says whose.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	s := serve(t)
	n := nodes(t, s, 1)[0]
	n.SayTaken(t, "den", "1", "k1")
	s.do(t, "CONFIG", "SET", "min-replicas-to-write", "1")
	if r := n.Say(t, "den", "2", "k2"); r.Err == nil {
		t.Errorf("taken as %s", r.ID)
	}
	s.do(t, "CONFIG", "SET", "min-replicas-to-write", "0")
	n.SayTaken(t, "den", "2", "k2")
	s.do(t, "REPLICAOF", "127.0.0.1", "1")
	logtest.Eventually(t, "it is said", func() bool {
		err := n.Log().Ready()
		return err != nil && strings.Contains(err.Error(), "a replica of 127.0.0.1:1")
	})
	if r := n.Say(t, "den", "3", "k3"); r.Err == nil {
		t.Errorf("taken as %s", r.ID)
	}
	s.do(t, "REPLICAOF", "NO", "ONE")
	n.SayTaken(t, "den", "3", "k3")
	same(t, []*clustertest.Node{n}, "1", "2", "3")
}

// TestSeed: see clustertest.Seed.
func TestSeed(t *testing.T) {
	t.Parallel()
	clustertest.Seed(t, &keeping{serve(t)}, func(int) {})
}

// TestScriptFlush: somebody flushes the server's scripts. Messages go on.
func TestScriptFlush(t *testing.T) {
	t.Parallel()
	s := serve(t)
	list := nodes(t, s, 1)
	list[0].SayTaken(t, "den", "first", "k1")
	s.do(t, "SCRIPT", "FLUSH")
	list[0].SayTaken(t, "den", "second", "k2")
	same(t, list, "first", "second")
}

// TestFlushed: see clustertest.Flushed.
func TestFlushed(t *testing.T) {
	t.Parallel()
	s := serve(t)
	clustertest.Flushed(t, s, func() { s.do(t, "FLUSHALL") })
}

// TestForgotten: see clustertest.Forgotten.
func TestForgotten(t *testing.T) {
	t.Parallel()
	for _, times := range []int{1, 2} {
		t.Run(fmt.Sprint(times), func(t *testing.T) { t.Parallel(); clustertest.Forgotten(t, serve(t), times) })
	}
}

// TestLostEdited: see clustertest.LostEdited.
func TestLostEdited(t *testing.T) {
	t.Parallel()
	clustertest.LostEdited(t, serve(t))
}

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
