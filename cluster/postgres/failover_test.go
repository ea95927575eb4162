package postgres

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgechat/cluster"
	"edgechat/cluster/clustertest"
	"edgechat/hub/logtest"
)

// A proxied server is reached by a proxy, which may lead elsewhere.
type proxied struct {
	*server
	folder string // of the proxy's socket
	proxy  *clustertest.Proxy
}

const socketName = ".s.PGSQL.5432"

func (s *server) Socket() string { return filepath.Join(s.dir, socketName) }

func behindProxy(t *testing.T, s *server) *proxied {
	t.Helper()
	folder, err := os.MkdirTemp("", "pg") // a path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return &proxied{s, folder, clustertest.NewProxy(t, filepath.Join(folder, socketName), s.Socket())}
}

func (p *proxied) Engine(t testing.TB) cluster.Engine {
	e, err := Open(Config{Address: "host=" + p.folder + " user=postgres dbname=postgres", Name: p.name})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// standby returns one of a server, which ends with the test.
func standby(t *testing.T, primary *server) *server {
	t.Helper()
	s := folder(t, primary.bin)
	t.Cleanup(func() {
		s.Kill(t)
		_ = os.RemoveAll(s.dir)
	})
	s.run(t, "pg_basebackup", "-h", primary.dir, "-U", "postgres", "-D", s.data(), "-R", "-X", "stream", "-c", "fast")
	s.begin(t, func(e *Engine) error { _, err := e.exec("select 1"); return err })
	return s
}

// failing returns a pair behind a proxy.
func failing(t *testing.T) *clustertest.Pair[*server] {
	primary := serve(t, "-c", "wal_keep_size=64MB")
	s := behindProxy(t, primary)
	ask := func(at *server, sql string) string {
		t.Helper()
		e := at.open(t)
		defer e.Close()
		found, err := e.exec(sql)
		if err != nil || len(found) != 1 {
			t.Fatal(sql, found, err)
		}
		return string(found[0][0])
	}
	return &clustertest.Pair[*server]{
		Server: s, Proxy: s.proxy, Primary: primary, Replica: standby(t, primary),
		CaughtUp: func(primary, standby *server) {
			at := ask(primary, "select pg_current_wal_lsn()::text")
			logtest.Eventually(t, "the standby has all", func() bool {
				return ask(standby, "select coalesce(pg_last_wal_replay_lsn() >= '"+at+"', false)::text") == "true"
			})
		},
		Promote: func(standby *server) { ask(standby, "select pg_promote()::text") },
		Another: func(old, primary *server) *server {
			if err := os.RemoveAll(old.dir); err != nil {
				t.Fatal(err)
			}
			return standby(t, primary)
		},
	}
}

// TestOldPrimary: see clustertest.OldPrimary.
func TestOldPrimary(t *testing.T) {
	t.Parallel()
	clustertest.OldPrimary(t, failing(t))
}

// TestPromoted: see clustertest.Promoted. Before that a node is led to the standby: it says so, and takes messages once it is led to the primary.
func TestPromoted(t *testing.T) {
	t.Parallel()
	p := failing(t)
	n := clustertest.Late(t, p)
	n.Follow(t)
	n.SayTaken(t, "hall", "1", "k1")
	p.Proxy.To(p.Replica.Socket())
	p.Proxy.Cut()
	logtest.Eventually(t, "it is said", func() bool {
		err := n.Log().Ready()
		return err != nil && strings.Contains(err.Error(), "it is a standby: name the primary")
	})
	if r := n.Say(t, "hall", "2", "k2"); r.Err == nil {
		t.Errorf("taken as %s", r.ID)
	}
	p.Proxy.To(p.Primary.Socket())
	n.SayTaken(t, "hall", "2", "k2")
	clustertest.Same(t, []*clustertest.Node{n}, "hall", "1", "2")
	n.Stop(t)
	clustertest.Promoted(t, p)
}

// TestOldDump: see clustertest.OldDump. The tables are those of the dump.
func TestOldDump(t *testing.T) {
	t.Parallel()
	s := share(t)
	e := s.open(t)
	defer e.Close()
	each := func(sql string) {
		t.Helper()
		c, err := e.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer hangUp(c)
		var all strings.Builder
		all.WriteString("begin;")
		for _, table := range []string{"meta", "log", "room", "epoch", "run"} {
			all.WriteString(strings.ReplaceAll(sql, "T", table) + ";")
		}
		if _, err := c.Exec(t.Context(), e.in(all.String()+"commit")).ReadAll(); err != nil {
			t.Fatal(err)
		}
	}
	clustertest.OldDump(t, s, func() { each("create table S.dump_T as select * from S.T") }, func() { each("truncate S.T; insert into S.T select * from S.dump_T") })
}
