package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/cluster"
	"edgechat/cluster/clustertest"
	"edgechat/hub/logtest"
)

// nodes returns nodes that follow.
func nodes(t *testing.T, s clustertest.Server, n int) []*clustertest.Node {
	t.Helper()
	return clustertest.Following(t, s, n)
}

// TestBackendKilled kills one process of the server: all restart without that the server does, and the log is verified anew. Nothing that was
// acknowledged is lost, nor is a key taken twice.
func TestBackendKilled(t *testing.T) {
	t.Parallel()
	s := serve(t)
	n := nodes(t, s, 1)[0]
	first := n.SayTaken(t, "den", "first", "k1")
	was := n.Log().Status().State
	e := s.open(t)
	defer e.Close()
	found, err := e.exec("select pid from pg_stat_activity where application_name = 'edgechat' and pid <> pg_backend_pid() limit 1")
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	pid, err := strconv.Atoi(string(found[0][0]))
	if err != nil || pid <= 1 {
		t.Fatal(pid, err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	logtest.Eventually(t, "the log is verified anew", func() bool {
		st := n.Log().Status().State
		return n.Log().Ready() == nil && st.Run != was.Run && st.Epoch.N > was.Epoch.N
	})
	if again := n.SayTaken(t, "den", "again", "k1"); again != first {
		t.Errorf("its key is that of %s, was %s", again, first)
	}
	second := n.SayTaken(t, "den", "second", "k2")
	if second.Offset != 2 || second.Epoch == first.Epoch {
		t.Errorf("%s behind %s", second, first)
	}
	if got := n.Contents(t, "den"); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("%q", got)
	}
}

// TestOrder: an append that began first and commits last has the later position: no reader passes over it.
func TestOrder(t *testing.T) {
	t.Parallel()
	s := share(t)
	n := nodes(t, s, 1)[0]
	n.SayTaken(t, "den", "first", "k")
	e := s.open(t)
	defer e.Close()
	run := n.Log().Status().State.Run
	c, err := e.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp(c)
	type answer struct {
		out []cluster.Outcome
		err error
	}
	alone := true // no append was given up, which may come yet
	logtest.Eventually(t, "an append waits no longer than a call may take", func() bool {
		position := n.Log().Status().Position
		if _, err := c.Exec(t.Context(), e.in("begin; select * from S.append('"+run+"', 0, array['den'], array[''::bytea], array['x'::bytea])")).ReadAll(); err != nil {
			t.Fatal(err)
		}
		other := make(chan answer, 1)
		go func() { // ends with the append
			out, err := e.Append(context.Background(), run, 0, []cluster.Item{{Room: "den", Record: []byte("y")}})
			other <- answer{out, err}
		}()
		select {
		case a := <-other:
			if a.err == nil {
				t.Fatalf("it passed the one before: %+v", a.out)
			}
			other <- a
		case <-time.After(300 * time.Millisecond): // it waits for the lock
		}
		list, err := e.page(t.Context(), c, position) // as who appended first sees it
		if err != nil || len(list) == 0 || alone && len(list) != 1 {
			t.Fatal(list, err)
		}
		first := list[len(list)-1]
		if _, err := c.Exec(t.Context(), "commit").ReadAll(); err != nil {
			t.Fatal(err)
		}
		a := <-other
		if a.err != nil { // on a machine that does something else
			alone = false
			return false
		}
		if len(a.out) != 1 || a.out[0].Position <= first.Position || a.out[0].Offset <= first.Offset ||
			alone && (a.out[0].Position != position+2 || a.out[0].Offset != 3) {
			t.Errorf("behind %+v: %+v", first, a.out)
		}
		return true
	})
}

// TestSilence: see clustertest.Silence. It says what is to be done.
func TestSilence(t *testing.T) {
	t.Parallel()
	if err := clustertest.Silence(t, share(t), deafAfter); err != nil && !strings.Contains(err.Error(), "session mode") {
		t.Error(err)
	}
}

// TestReadOnly: a server that takes no writes is said, and refuses.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	s := serve(t)
	n := nodes(t, s, 1)[0]
	n.SayTaken(t, "den", "first", "k1")
	e := s.open(t)
	defer e.Close()
	if _, err := e.exec("alter system set default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.exec("select pg_reload_conf()"); err != nil {
		t.Fatal(err)
	}
	logtest.Eventually(t, "it is said", func() bool { err := n.Log().Ready(); return err != nil && strings.Contains(err.Error(), "read-only") })
	if r := n.Say(t, "den", "second", "k2"); r.Err == nil {
		t.Errorf("taken as %s", r.ID)
	}
	c, err := e.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp(c)
	for _, sql := range []string{"set default_transaction_read_only = off", "alter system reset default_transaction_read_only", "select pg_reload_conf()"} {
		if _, err := c.Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	if second := n.SayTaken(t, "den", "second", "k2"); second.Offset != 2 {
		t.Errorf("%s", second)
	}
}

// TestStopped: see clustertest.Stopped.
func TestStopped(t *testing.T) {
	t.Parallel()
	clustertest.Stopped(t, serve(t))
}

// TestAnswerLost: see clustertest.AnswerLost.
func TestAnswerLost(t *testing.T) {
	t.Parallel()
	s := behindProxy(t, share(t))
	clustertest.AnswerLost(t, s, s.proxy, "\x00append\x00") // the name of the statement in the message Bind
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

// keeping has all but the newest of what is said dropped.
func (s *server) keeping(t *testing.T) func(keep int) {
	return func(keep int) {
		t.Helper()
		e := s.open(t)
		defer e.Close()
		st, err := e.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		e.cfg.Keep, e.trimmed = keep, time.Time{}
		e.trim(t.Context(), st.Last)
	}
}

// TestRetention: see clustertest.Retention.
func TestRetention(t *testing.T) {
	t.Parallel()
	s := share(t)
	clustertest.Retention(t, s, s.keeping(t))
}

// TestSeed: see clustertest.Seed.
func TestSeed(t *testing.T) {
	t.Parallel()
	s := share(t)
	clustertest.Seed(t, s, s.keeping(t))
}

// TestFlushed: see clustertest.Flushed.
func TestFlushed(t *testing.T) {
	t.Parallel()
	s := share(t)
	e := s.open(t)
	defer e.Close()
	clustertest.Flushed(t, s, func() {
		if _, err := e.exec("drop schema " + e.schema + " cascade"); err != nil {
			t.Fatal(err)
		}
	})
}

// TestForgotten: see clustertest.Forgotten.
func TestForgotten(t *testing.T) {
	t.Parallel()
	for _, times := range []int{1, 2} {
		t.Run(strconv.Itoa(times), func(t *testing.T) { t.Parallel(); clustertest.Forgotten(t, serve(t), times) })
	}
}

// TestLostEdited: see clustertest.LostEdited.
func TestLostEdited(t *testing.T) {
	t.Parallel()
	clustertest.LostEdited(t, serve(t))
}
