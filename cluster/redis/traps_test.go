package redis

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

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

// TestFlushed flushes the engine three times while nothing is said: each time it is noticed within two seconds, what was there is put back,
// and an epoch begins that never was. Nodes that were started again in between know that too.
func TestFlushed(t *testing.T) {
	t.Parallel()
	s := serve(t)
	list := nodes(t, s, 2)
	first := list[0].SayTaken(t, "den", "first", "k")
	seen := map[string]bool{first.Epoch: true}
	for round := range 3 {
		logtest.Eventually(t, "both have it", func() bool { return list[1].Log().Head("den").Offset == first.Offset })
		was := list[0].Log().Status().State.Epoch.N
		s.do(t, "FLUSHALL")
		began := time.Now()
		for list[0].Log().Ready() == nil && list[0].Log().Status().State.Epoch.N == was {
			if time.Since(began) > 30*time.Second {
				t.Fatal("not noticed")
			}
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(began); took > 2*time.Second+slack {
			t.Errorf("noticed after %s", took)
		}
		for _, n := range list {
			logtest.Eventually(t, "it is ready", func() bool { return n.Log().Ready() == nil && n.Log().Status().State.Epoch.N > was })
		}
		name := list[0].Log().Status().State.Epoch.Name
		if seen[name] {
			t.Errorf("epoch %s began twice", name)
		}
		seen[name] = true
		if round == 1 {
			for _, n := range list {
				n.Stop(t)
			}
			s.do(t, "FLUSHALL")
			for _, n := range list {
				n.Begin(t)
			}
			name := list[0].Log().Status().State.Epoch.Name
			if seen[name] {
				t.Errorf("epoch %s began twice", name)
			}
			seen[name] = true
		}
	}
	if again := list[1].SayTaken(t, "den", "again", "k"); again != first {
		t.Errorf("its key is that of %s, was %s", again, first)
	}
	if next := list[0].SayTaken(t, "den", "next", "l"); next.Offset != 2 {
		t.Errorf("the next is %s behind %s", next, first)
	}
}

// slack is for a machine that does something else.
const slack = 20 * time.Second

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
	s := serve(t)
	clustertest.Stopped(t, s, func(sig syscall.Signal) {
		if err := s.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	})
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

// TestForgotten: the engine forgets all, also where epochs began, while all nodes are away, once or twice; the one that comes first lacks what another has. That
// other one takes back what the first lacks, and no more, and says it again.
func TestForgotten(t *testing.T) {
	t.Parallel()
	for times := range 2 {
		t.Run(fmt.Sprint(1+times), func(t *testing.T) { t.Parallel(); forgotten(t, 1+times) })
	}
}

func forgotten(t *testing.T, times int) {
	s := serve(t, "--appendonly", "no")
	list := nodes(t, s, 2)
	var want []string
	for i := range 3 {
		want = append(want, fmt.Sprint(i))
		list[0].SayTaken(t, "den", want[i], "") // which nobody can say again
	}
	same(t, list, want...)
	list[0].Stop(t)
	list[1].SayTaken(t, "den", "alone", "k")
	list[1].Stop(t)
	for i := range times {
		list[0].Stop(t)
		s.Kill(t)
		s.Start(t)
		list[0].Begin(t)
		want = append(want, fmt.Sprint("first", i))
		list[0].SayTaken(t, "den", want[3+i], "")
	}
	list[1].Begin(t)
	same(t, list, append(want, "alone")...)
	if st := list[1].Log().Stats(); st.Rollbacks != 1 || st.Again != 1 || st.Leaps != 0 {
		t.Errorf("%+v", st)
	}
}

// TestSeed: see clustertest.
func TestSeed(t *testing.T) {
	t.Parallel()
	clustertest.RunSeed(t, &keeping{serve(t)})
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

// TestLostEdited: what was said under a key, and edited, is said again as it was edited, and what was deleted is not.
func TestLostEdited(t *testing.T) {
	t.Parallel()
	s := serve(t)
	w := clustertest.Tested{World: clustertest.NewWorld(t, s, 2, 100), T: t}
	for _, n := range w.Nodes() {
		n.Follow(t)
	}
	n := w.Nodes()[0]
	revise := func(kind codec.Kind, target codec.ID, content string) {
		t.Helper()
		told := make(chan codec.Receipt, 1)
		m := codec.Message{Kind: kind, Target: target, Username: "ann", Content: content, Time: 2}
		if err := n.Log().Revise("den", m, codec.Claim{All: true}, "", codec.Done{Tell: func(r codec.Receipt) { told <- r }}); err != nil {
			t.Fatal(err)
		}
		if r := <-told; r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	w.Lose(t, func() {
		edited, deleted := n.SayTaken(t, "den", "frist", "k1"), n.SayTaken(t, "den", "gone", "k2")
		revise(codec.Edit, edited, "fist")
		revise(codec.Edit, edited, "first")
		revise(codec.Deletion, deleted, "")
	})
	same(t, w.Nodes(), "first")
}
