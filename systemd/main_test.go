package systemd

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

func TestMain(m *testing.M) { edgetest.Main(m) }

// A manager is the socket of a service manager.
type manager struct {
	t *testing.T
	c *net.UnixConn
}

// listen makes a manager and names it in the environment. An empty name is any path.
func listen(t *testing.T, name string) *manager {
	t.Helper()
	if name == "" {
		name = filepath.Join(t.TempDir(), "notify")
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	t.Setenv("NOTIFY_SOCKET", name)
	return &manager{t, c}
}

// next returns the next datagram.
func (m *manager) next() string {
	m.t.Helper()
	b := make([]byte, 4096)
	_ = m.c.SetReadDeadline(time.Now().Add(30 * time.Second))
	n, err := m.c.Read(b)
	if err != nil {
		m.t.Fatalf("no datagram: %v", err)
	}
	return string(b[:n])
}

func wantUnset(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if v, ok := os.LookupEnv(name); ok {
			t.Errorf("%s is %q, must not be there for children", name, v)
		}
	}
}

// wantErr fails unless err says all of want.
func wantErr(t *testing.T, what string, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: the error is %q, %q is missing", what, err, w)
		}
	}
}
