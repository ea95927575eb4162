package redis

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"edgechat/cluster"
	"edgechat/cluster/clustertest"
	"edgechat/hub/logtest"
	"edgechat/internal/edgetest"
)

// A proxied server is reached by a proxy, which may lead elsewhere.
type proxied struct {
	*server
	path  string
	proxy *clustertest.Proxy
}

func behindProxy(t *testing.T, s *server) *proxied {
	t.Helper()
	path := filepath.Join(s.dir, "p")
	return &proxied{s, path, clustertest.NewProxy(t, path, s.Socket())}
}

func (p *proxied) Engine(t testing.TB) cluster.Engine {
	e, err := Open(Config{Address: p.path, Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// pair returns a primary and its replica, which has all that the primary has.
func pair(t *testing.T) (primary, replica *server) {
	t.Helper()
	primary, replica = withPort(t), withPort(t)
	replica.follow(t, primary)
	return primary, replica
}

// withPort returns a server that has a port besides: replicas do not know unix sockets.
func withPort(t *testing.T) *server {
	t.Helper()
	_, text, _ := net.SplitHostPort(edgetest.FreeAddr(t))
	port, _ := strconv.Atoi(text)
	s := serve(t, "--port", text, "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0")
	s.port = port
	return s
}

// follow makes a server the replica of another.
func (s *server) follow(t testing.TB, primary *server) {
	t.Helper()
	s.do(t, "REPLICAOF", "127.0.0.1", primary.port)
	logtest.Eventually(t, "the replica follows", func() bool { return s.info(t)["master_link_status"] == "up" })
}

func (s *server) info(t testing.TB) map[string]string {
	t.Helper()
	b, ok := s.do(t, "INFO").([]byte)
	if !ok {
		t.Fatal("INFO is no text")
	}
	return parseInfo(string(b))
}

// caughtUp waits until the replica has what the primary has.
func caughtUp(t *testing.T, primary, replica *server) {
	t.Helper()
	logtest.Eventually(t, "the replica has all", func() bool {
		return primary.info(t)["master_repl_offset"] == replica.info(t)["slave_repl_offset"]
	})
}

// same has all nodes have these contents under the same ids, byte for byte, and no more.
func same(t *testing.T, list []*clustertest.Node, contents ...string) {
	t.Helper()
	clustertest.Same(t, list, "den", contents...)
}

// failing returns a pair behind a proxy.
func failing(t *testing.T) *clustertest.Pair[*server] {
	primary, replica := pair(t)
	s := behindProxy(t, primary)
	return &clustertest.Pair[*server]{
		Server: s, Proxy: s.proxy, Primary: primary, Replica: replica,
		CaughtUp: func(primary, replica *server) { caughtUp(t, primary, replica) },
		Promote:  func(replica *server) { replica.do(t, "REPLICAOF", "NO", "ONE") },
		Another: func(old, primary *server) *server {
			old.Start(t)
			old.follow(t, primary)
			return old
		},
	}
}

// TestPromoted: see clustertest.Promoted.
func TestPromoted(t *testing.T) {
	t.Parallel()
	clustertest.Promoted(t, failing(t))
}

// TestOldPrimary: see clustertest.OldPrimary.
func TestOldPrimary(t *testing.T) {
	t.Parallel()
	clustertest.OldPrimary(t, failing(t))
}

// TestDemoted: the address leads to a new primary, while the old one goes on as its replica and keeps its connections. They are given up.
func TestDemoted(t *testing.T) {
	t.Parallel()
	primary, replica := pair(t)
	s := behindProxy(t, primary)
	list := nodes(t, s, 2)
	list[0].SayTaken(t, "den", "1", "k1")
	caughtUp(t, primary, replica)
	replica.do(t, "REPLICAOF", "NO", "ONE")
	s.proxy.To(replica.Socket())
	primary.do(t, "REPLICAOF", "127.0.0.1", replica.port)
	second := list[0].SayTaken(t, "den", "2", "k2")
	if second.Offset != 2 {
		t.Errorf("%s", second)
	}
	same(t, list, "1", "2")
}

// TestOldDump: see clustertest.OldDump.
func TestOldDump(t *testing.T) {
	t.Parallel()
	s := serve(t, "--enable-debug-command", "local", "--appendonly", "no")
	clustertest.OldDump(t, s, func() { s.do(t, "SAVE") }, func() { s.do(t, "DEBUG", "RELOAD", "NOSAVE") })
}

// TestFileCut: the end of the append-only file is lost in a power cut, in the middle of a command. The nodes put back what they have.
func TestFileCut(t *testing.T) {
	t.Parallel()
	s := serve(t, "--appendfsync", "everysec")
	list := nodes(t, s, 2)
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprint(i))
		list[i%2].SayTaken(t, "den", want[i], "k"+want[i])
	}
	s.Kill(t)
	files, err := filepath.Glob(filepath.Join(s.dir, aofDir, "*.incr.aof"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(b), "k:") // in front of the fifth that was said
	for range 4 {
		at += 1 + strings.Index(string(b[at+1:]), "XADD")
	}
	if at < 100 || at >= len(b)-100 {
		t.Fatalf("cut at %d of %d", at, len(b))
	}
	if err := os.Truncate(files[0], int64(at)); err != nil {
		t.Fatal(err)
	}
	s.Start(t)
	last := list[0].SayTaken(t, "den", "last", "last")
	if last.Offset != 21 {
		t.Errorf("%s", last)
	}
	same(t, list, append(want, "last")...)
	if !slices.ContainsFunc(list, func(n *clustertest.Node) bool { return n.Log().Stats().Epochs > 0 }) {
		t.Error("nobody opened an epoch")
	}
}
