package postgres

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"edgechat/cluster"
	"edgechat/cluster/clustertest"
	"edgechat/codec"
	"edgechat/hub/logtest"
)

// A pooler is a PgBouncer in front of a server.
type pooler struct {
	*server
	dir string
}

// pool starts a pooler that ends with the test.
func pool(t *testing.T, s *server, mode string) *pooler {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		program = "/usr/sbin/pgbouncer"
		if _, err := os.Stat(program); err != nil {
			t.Skip("pgbouncer is not installed (apt-get install pgbouncer)")
		}
	}
	front := folder(t, filepath.Dir(program)) // as the server's user: it does not start as root either
	t.Cleanup(func() { _ = os.RemoveAll(front.dir) })
	config := filepath.Join(front.dir, "pgbouncer.ini")
	text := fmt.Sprintf("[databases]\n* = host=%s port=5432 user=postgres\n[pgbouncer]\nlisten_addr =\nlisten_port = 5432\nunix_socket_dir = %s\nauth_type = any\npool_mode = %s\n", s.dir, front.dir, mode)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := front.command(filepath.Base(program), config)
	log, err := os.OpenFile(filepath.Join(front.dir, "log"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	p := &pooler{s, front.dir}
	logtest.Eventually(t, "the pooler answers", func() bool {
		_, err := os.Stat(filepath.Join(front.dir, ".s.PGSQL.5432"))
		return err == nil
	})
	return p
}

func (p *pooler) Engine(t testing.TB) cluster.Engine {
	e, err := Open(Config{Address: fmt.Sprintf("host=%s user=postgres dbname=postgres", p.dir), Name: p.name})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestPooler: nodes behind a pooler that gives each session a connection of its own hear each other. One that gives connections away after each transaction is
// found, and who looks after the node is told of it.
func TestPooler(t *testing.T) {
	t.Parallel()
	t.Run("session", func(t *testing.T) {
		t.Parallel()
		list := nodes(t, pool(t, serve(t), "session"), 2)
		list[0].SayTaken(t, "den", "first", "k1")
		list[1].SayTaken(t, "den", "second", "k2")
		clustertest.Same(t, list, "den", "first", "second")
	})
	t.Run("transaction", func(t *testing.T) {
		t.Parallel()
		w := clustertest.NewWorld(t, pool(t, serve(t), "transaction"), 2, 100)
		for _, n := range w.Nodes() {
			n.Log().Deliver(func(string, *codec.Message) {}, func(string, codec.ID) {})
			n.Log().Meet(clustertest.NewCrowd(t))
		}
		for _, n := range w.Nodes() {
			logtest.Eventually(t, "it is said", func() bool {
				_, err := n.Log().Deaf()
				return err != nil && strings.Contains(err.Error(), "session mode")
			})
		}
	})
}
