package redis

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gomodule/redigo/redis"

	"edgechat/cluster"
	"edgechat/cluster/clustertest"
	"edgechat/internal/edgetest"
)

// program is what all tests run at: valkey-server is one as well.
var program = flag.String("redis", "redis-server", "the server's program")

func TestMain(m *testing.M) {
	clustertest.Begin(open)
	edgetest.Main(m)
}

func open(address string) (cluster.Engine, error) {
	return Open(Config{Address: address, Name: "test"})
}

// A server is a redis-server on a unix socket.
type server struct {
	dir  string
	args []string
	port int // of 127.0.0.1; 0 if there is none
	cmd  *exec.Cmd
}

// serve starts a server that ends with the test. It flushes each command, unless args say otherwise.
func serve(t testing.TB, args ...string) *server {
	t.Helper()
	path, err := exec.LookPath(*program)
	if err != nil {
		t.Skip(*program, " is not installed (apt-get install redis-server)")
	}
	dir, err := os.MkdirTemp("", "redis") // a path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	s := &server{dir: dir, args: append([]string{path, "--port", "0", "--unixsocket", filepath.Join(dir, "s"), "--dir", dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--logfile", filepath.Join(dir, "log")}, args...)}
	s.Start(t)
	t.Cleanup(func() {
		s.Kill(t)
		_ = os.RemoveAll(dir)
	})
	return s
}

func (s *server) Socket() string  { return filepath.Join(s.dir, "s") }
func (s *server) Address() string { return s.Socket() }

func (s *server) Engine(t testing.TB) cluster.Engine {
	e, err := Open(Config{Address: filepath.Join(s.dir, "s"), Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (s *server) Start(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command(s.args[0], s.args[1:]...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := redis.Dial("unix", filepath.Join(s.dir, "s"))
		if err == nil {
			_, err = c.Do("PING")
			_ = c.Close()
		}
		if err == nil {
			return
		}
		if time.Now().After(end) {
			b, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			t.Fatalf("redis-server does not answer: %v\n%s", err, b)
		}
	}
}

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
}

func (s *server) Signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Error(err)
	}
}

// do runs a command.
func (s *server) do(t testing.TB, name string, args ...any) any {
	t.Helper()
	c, err := redis.Dial("unix", filepath.Join(s.dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	v, err := c.Do(name, args...)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", name, err))
	}
	return v
}

const aofDir = "appendonlydir"

func (s *server) Snapshot(t testing.TB) {
	t.Helper()
	copyFolder(t, filepath.Join(s.dir, aofDir), filepath.Join(s.dir, "snapshot"))
}

func (s *server) Back(t testing.TB) {
	t.Helper()
	s.Kill(t)
	copyFolder(t, filepath.Join(s.dir, "snapshot"), filepath.Join(s.dir, aofDir))
	s.Start(t)
}

func copyFolder(t testing.TB, from, to string) {
	t.Helper()
	if err := errors.Join(os.RemoveAll(to), os.CopyFS(to, os.DirFS(from))); err != nil {
		t.Fatal(err)
	}
}

// TestLog is what every hub.Log has to pass, at an engine that flushes each command.
func TestLog(t *testing.T) {
	t.Parallel()
	clustertest.RunLog(t, 3, nil, func(t *testing.T) clustertest.Server { return serve(t) })
}

// TestLogNotDurable is what may differ at one that flushes nothing: acknowledged is what this node's file has.
func TestLogNotDurable(t *testing.T) {
	t.Parallel()
	clustertest.RunLog(t, 2, clustertest.Durability, func(t *testing.T) clustertest.Server { return serve(t, "--appendfsync", "no") })
}
