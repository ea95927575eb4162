package postgres

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path"
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

func TestMain(m *testing.M) {
	clustertest.Begin(open)
	edgetest.Main(m, end)
}

func open(address string) (cluster.Engine, error) {
	return Open(Config{Address: address, Name: "test"})
}

// A server is a PostgreSQL on a unix socket in a folder of its own. It does not start as root, so that it runs as postgres then.
type server struct {
	dir  string
	bin  string
	args []string
	cmd  *exec.Cmd
	attr *syscall.SysProcAttr
	name string // of the cluster

	ended chan struct{} // closed when cmd has
}

// serve starts a server that ends with the test.
func serve(t testing.TB, args ...string) *server {
	t.Helper()
	s := begin(t, programs(t), args...)
	t.Cleanup(func() {
		s.Kill(t)
		_ = os.RemoveAll(s.dir)
	})
	return s
}

// begin starts a server.
func begin(t testing.TB, bin string, args ...string) *server {
	t.Helper()
	s := folder(t, bin, args...)
	copyFolder(t, templateOf(t, bin).data(), s.data())
	s.Start(t)
	return s
}

// programs returns the folder of PostgreSQL's programs, which Debian has in no PATH.
func programs(t testing.TB) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		t.Skip("postgres is not installed (apt-get install postgresql)")
	}
	slices.Sort(found)
	return filepath.Dir(found[len(found)-1])
}

// folder returns a server without data.
func folder(t testing.TB, bin string, args ...string) *server {
	t.Helper()
	dir, err := os.MkdirTemp(parent(), "pg") // a path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	s := &server{dir: dir, bin: bin, args: args, attr: &syscall.SysProcAttr{}, name: "test"}
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
	return s
}

// parent is where servers have their folders: in memory if there is room, since one that was killed flushes a thousand files before it answers,
// and what is killed here is never the machine.
func parent() string {
	const memory = "/dev/shm"
	var st syscall.Statfs_t
	if err := syscall.Statfs(memory, &st); err != nil || uint64(st.Bavail)*uint64(st.Bsize) < 1<<30 {
		return ""
	}
	return memory
}

func copyFolder(t testing.TB, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v %s", err, b)
	}
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

func (s *server) Address() string { return fmt.Sprintf("host=%s user=postgres dbname=postgres", s.dir) }

func (s *server) Engine(t testing.TB) cluster.Engine { return s.open(t) }

func (s *server) open(t testing.TB) *Engine {
	e, err := Open(Config{Address: s.Address(), Name: s.name})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// Start starts it; while processes of one that was killed use its memory it ends at once, and is started again.
func (s *server) Start(t testing.TB) {
	t.Helper()
	s.begin(t, func(e *Engine) error { _, err := e.State(context.Background()); return err })
}

// begin starts it, and waits until it answers what is asked.
func (s *server) begin(t testing.TB, ask func(e *Engine) error) {
	t.Helper()
	e := s.open(t)
	defer e.Close()
	end := time.Now().Add(60 * time.Second)
	for time.Now().Before(end) {
		s.launch(t)
		ended := make(chan struct{})
		go func(cmd *exec.Cmd) { // ends with the server, which the test waits for
			_ = cmd.Wait()
			close(ended)
		}(s.cmd)
		s.ended = ended
		for over := false; !over && time.Now().Before(end); {
			if err := ask(e); err == nil {
				return
			}
			select {
			case <-ended:
				over = true
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
	b, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	t.Fatalf("PostgreSQL does not answer:\n%s", b)
}

func (s *server) launch(t testing.TB) {
	t.Helper()
	_ = os.Remove(filepath.Join(s.data(), "postmaster.pid")) // of one that was killed
	s.cmd = s.command("postgres", append([]string{"-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "shared_buffers=16MB", "-c", "dynamic_shared_memory_type=mmap"}, s.args...)...)
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
}

// Kill ends the server as a crash does: its other processes end by themselves then.
func (s *server) Kill(t testing.TB) {
	t.Helper()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.ended
	s.cmd = nil
}

func (s *server) Snapshot(t testing.TB) {
	t.Helper()
	s.stop(t)
	copyFolder(t, s.data(), filepath.Join(s.dir, "snapshot"))
	s.Start(t)
}

// stop ends it in order.
func (s *server) stop(t testing.TB) {
	t.Helper()
	_ = s.cmd.Process.Signal(syscall.SIGINT)
	<-s.ended
	s.cmd = nil
}

func (s *server) Back(t testing.TB) {
	t.Helper()
	s.Kill(t)
	copyFolder(t, filepath.Join(s.dir, "snapshot"), s.data())
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

// testLog runs tests at one server, with a cluster for each, but those that stop it at one of their own.
func testLog(t *testing.T, nodes int, only []string, args ...string) {
	t.Parallel()
	shared := serve(t, args...)
	clustertest.RunLog(t, nodes, only, func(t *testing.T) clustertest.Server {
		name := path.Base(t.Name())
		if name == "Cut" || name == "Faults" {
			return serve(t, args...)
		}
		s := *shared
		s.name = "test" + name
		return &s
	})
}

// TestLog is what every hub.Log has to pass, at an engine that flushes each commit.
func TestLog(t *testing.T) { testLog(t, 3, nil) }

// TestLogNotDurable is what may differ where commits do not wait for the disk: acknowledged is what this node's file has.
func TestLogNotDurable(t *testing.T) {
	testLog(t, 2, clustertest.Durability, "-c", "synchronous_commit=off")
}
