package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"edgechat/cluster"
	"edgechat/cluster/clustertest"
	"edgechat/internal/edgetest"
)

func TestMain(m *testing.M) { edgetest.Main(m) }

// A server is a PostgreSQL on a unix socket in a folder of its own. It does not start as root, so that it runs as postgres then.
type server struct {
	dir  string
	bin  string
	args []string
	cmd  *exec.Cmd
	attr *syscall.SysProcAttr
}

func serve(t testing.TB, args ...string) *server {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		t.Fatal("PostgreSQL is not there: apt-get install postgresql")
	}
	slices.Sort(found)
	dir, err := os.MkdirTemp("", "pg") // a path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	s := &server{dir: dir, bin: found[len(found)-1], args: args, attr: &syscall.SysProcAttr{}}
	if os.Geteuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		s.attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		s.Kill(t)
		_ = os.RemoveAll(dir)
	})
	s.run(t, "initdb", "-D", s.data(), "-U", "postgres", "-A", "trust", "-N")
	s.Start(t)
	return s
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

func (s *server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, s.attr
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	return cmd
}

func (s *server) run(t testing.TB, name string, args ...string) {
	t.Helper()
	if b, err := s.command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, b)
	}
}

func (s *server) address() string { return fmt.Sprintf("host=%s user=postgres dbname=postgres", s.dir) }

func (s *server) Engine(t testing.TB) cluster.Engine { return s.open(t) }

func (s *server) open(t testing.TB) *Engine {
	e, err := Open(Config{Address: s.address(), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (s *server) Start(t testing.TB) {
	t.Helper()
	s.cmd = s.command("postgres", append([]string{"-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "shared_buffers=16MB"}, s.args...)...)
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	e := s.open(t)
	defer e.Close()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		_, err := e.State(context.Background())
		if err == nil {
			return
		}
		if time.Now().After(end) {
			b, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			t.Fatalf("PostgreSQL does not answer: %v\n%s", err, b)
		}
	}
}

// Kill ends the server as a crash does: its children end by themselves then.
func (s *server) Kill(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Error(err)
	}
	s.cmd = nil
	// The next one does not start while they use the memory of this one.
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if left, _ := exec.Command("pgrep", "-f", "-x", "-l", "postgres.*"+s.dir+".*").Output(); len(left) == 0 {
			break
		}
	}
	time.Sleep(50 * time.Millisecond)
	_ = os.Remove(filepath.Join(s.data(), "postmaster.pid"))
}

func (s *server) Snapshot(t testing.TB) {
	t.Helper()
	s.stop(t)
	to := filepath.Join(s.dir, "snapshot")
	if b, err := exec.Command("cp", "-a", s.data(), to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v %s", err, b)
	}
	s.Start(t)
}

// stop ends it in order.
func (s *server) stop(t testing.TB) {
	t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGINT)
	if err := s.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	s.cmd = nil
}

func (s *server) Back(t testing.TB) {
	t.Helper()
	s.Kill(t)
	if err := os.RemoveAll(s.data()); err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command("cp", "-a", filepath.Join(s.dir, "snapshot"), s.data()).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v %s", err, b)
	}
	// As a crash would leave it: a token from before is not this run's.
	s.Start(t)
	e := s.open(t)
	defer e.Close()
	if err := e.forget(); err != nil {
		t.Fatal(err)
	}
}

// forget empties what a crash empties.
func (e *Engine) forget() error {
	_, err := e.exec("truncate S.run")
	return err
}

func (e *Engine) exec(sql string, params ...string) (list [][][]byte, err error) {
	c, err := e.dial(context.Background())
	if err != nil {
		return nil, err
	}
	defer hangUp(c)
	return rows(context.Background(), c, e.in(sql), params...)
}

// TestLog is what every hub.Log has to pass, at an engine that flushes each commit.
func TestLog(t *testing.T) {
	clustertest.RunLog(t, 3, func(t *testing.T) clustertest.Server { return serve(t) })
}

// TestLogNotDurable is the same where commits do not wait for the disk: acknowledged is what this node's file has.
func TestLogNotDurable(t *testing.T) {
	clustertest.RunLog(t, 2, func(t *testing.T) clustertest.Server { return serve(t, "-c", "synchronous_commit=off") })
}
