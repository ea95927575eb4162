package server

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// A redisServer is a real one, on a unix socket.
type redisServer struct {
	dir string
	cmd *exec.Cmd
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed (apt-get install redis-server)")
	}
	dir, err := os.MkdirTemp("", "redis") // a path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	r := &redisServer{dir: dir}
	t.Cleanup(func() {
		r.kill(t)
		_ = os.RemoveAll(dir)
	})
	r.start(t)
	return r
}

func (r *redisServer) socket() string { return filepath.Join(r.dir, "s") }

func (r *redisServer) start(t *testing.T) {
	t.Helper()
	r.cmd = exec.Command("redis-server", "--port", "0", "--unixsocket", r.socket(), "--dir", r.dir, "--save", "", "--appendonly", "yes",
		"--appendfsync", "always", "--logfile", filepath.Join(r.dir, "log"))
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	clusterWait(t, "redis-server answers", func() bool {
		c, err := net.Dial("unix", r.socket())
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

func (r *redisServer) kill(t *testing.T) {
	t.Helper()
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Kill()
	var exit *exec.ExitError
	if err := r.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Error(err)
	}
	r.cmd = nil
}
