package redis

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/cluster"
	"edgechat/cluster/clustertest"
	"edgechat/codec"
)

// nodes returns nodes that follow.
func nodes(t *testing.T, s clustertest.Server, n int) []*clustertest.Node {
	t.Helper()
	list := clustertest.NewWorld(t, s, n, 1000).Nodes()
	for _, n := range list {
		n.Follow(t)
	}
	return list
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
		clustertest.Eventually(t, "both have it", func() bool { return list[1].Log().Head("den").Offset == first.Offset })
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
			clustertest.Eventually(t, "it is ready", func() bool { return n.Log().Ready() == nil && n.Log().Status().State.Epoch.N > was })
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
const slack = 5 * time.Second

// TestEvicts: a server that would evict what is acknowledged takes nothing, and says why.
func TestEvicts(t *testing.T) {
	t.Parallel()
	s := serve(t, "--maxmemory", "4mb", "--maxmemory-policy", "allkeys-lru")
	n := clustertest.NewWorld(t, s, 1, 1000).Nodes()[0]
	n.Log().Deliver(func(string, *codec.Message) {}, func(string, codec.ID) {})
	clustertest.Eventually(t, "it says so", func() bool {
		err := n.Log().Ready()
		return err != nil && strings.Contains(err.Error(), "maxmemory-policy is allkeys-lru")
	})
	if r := n.Say(t, "den", "x", "k"); r.Err == nil {
		t.Errorf("taken as %s", r.ID)
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

// TestStopped: an engine that answers nothing for a while fails calls within five seconds, and what has a key is there once when it goes on.
func TestStopped(t *testing.T) {
	t.Parallel()
	s := serve(t)
	n := nodes(t, s, 1)[0]
	n.SayTaken(t, "den", "first", "k1")
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r := n.Say(t, "den", "second", "k2")
	if took := time.Since(began); r.Err == nil || took > 15*time.Second {
		t.Errorf("%+v after %s", r, took)
	}
	if err := n.Log().Ready(); err == nil {
		t.Error("it is ready")
	}
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	n.SayTaken(t, "den", "second", "k2")
	if got := n.Contents(t, "den"); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("%q", got)
	}
}

// TestAnswerLost: an append whose answer is lost is executed once. Under a key it is told as taken; without one that it is not known.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	s := behindProxy(t, serve(t))
	n := nodes(t, s, 1)[0]
	n.SayTaken(t, "den", "first", "k1")
	s.proxy.Lose("EVALSHA")
	if r := n.Say(t, "den", "keyed", "k2"); r.Err != nil || r.ID.Offset != 2 {
		t.Errorf("with a key: %+v", r)
	}
	clustertest.Eventually(t, "it is ready", func() bool { return n.Log().Ready() == nil })
	s.proxy.Lose("EVALSHA")
	if r := n.Say(t, "den", "plain", ""); r.Err == nil {
		t.Errorf("without a key: %+v", r)
	}
	if n := s.proxy.Lost(); n != 2 {
		t.Errorf("%d answers were lost", n)
	}
	n.SayTaken(t, "den", "last", "k3")
	if got := n.Contents(t, "den"); !slices.Equal(got, []string{"first", "keyed", "plain", "last"}) {
		t.Errorf("%q", got)
	}
}

// TestRetention: a node that was away for longer than the log keeps has a hole, and says so; what follows it has whole.
func TestRetention(t *testing.T) {
	t.Parallel()
	s := &keeping{serve(t)}
	list := nodes(t, s, 2)
	seen := list[0].SayTaken(t, "den", "seen", "k")
	clustertest.Eventually(t, "both have it", func() bool { return list[1].Log().Head("den").Offset == 1 })
	list[1].Stop(t)
	for i := range 500 {
		if r := list[0].Say(t, "den", fmt.Sprint(i), ""); r.Err != nil {
			t.Fatal(r.Err)
		}
	}
	list[1].Begin(t)
	if st := list[1].Log().Stats(); st.Leaps == 0 {
		t.Errorf("nothing was missed: %+v", st)
	}
	if head := list[1].Log().Head("den"); head.Offset != 501 {
		t.Errorf("head %s", head)
	}
	p, err := list[1].Log().Read("den", codec.Query{After: &seen})
	if err != nil || p.Recovered {
		t.Errorf("recovered over a hole: %+v %v", p.Recovered, err)
	}
	last := list[0].SayTaken(t, "den", "last", "l")
	clustertest.Eventually(t, "both have it", func() bool { return list[1].Log().Head("den") == last })
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
