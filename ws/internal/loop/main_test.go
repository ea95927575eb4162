//go:build linux

package loop

import (
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

func TestMain(m *testing.M) { edgetest.Main(m) }

// A probe is a source that does what it is told. It watches one end of a pair of sockets.
type probe struct {
	Node
	serve func(Events) bool
	peer  int
}

func (p *probe) Serve(events Events) bool { return p.serve(events) }

// say has something come for p.
func (p *probe) say(t *testing.T) {
	t.Helper()
	if _, err := syscall.Write(p.peer, []byte("x")); err != nil {
		t.Fatal(err)
	}
}

// running returns a loop that runs until the test ends.
func running(t *testing.T, cfg Config) *Loop {
	t.Helper()
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(l.Run)
	t.Cleanup(func() {
		l.Stop()
		wg.Wait()
	})
	return l
}

// pair returns two sockets that are connected, which the test's end closes.
func pair(t *testing.T) (fd int32, peer int) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Close(fds[0])
		_ = syscall.Close(fds[1])
	})
	return int32(fds[0]), fds[1]
}

// watch returns a probe of l, once the first report, that it can be written to, is behind it.
func watch(t *testing.T, l *Loop, serve func(Events) bool) *probe {
	t.Helper()
	fd, peer := pair(t)
	reported := make(chan struct{}, 1)
	p := &probe{peer: peer, serve: func(Events) bool { reported <- struct{}{}; return false }}
	if err := l.Watch(fd, p); err != nil {
		t.Fatal(err)
	}
	await(t, reported)
	on(t, l, func() { p.serve = serve })
	return p
}

// on runs f on the loop.
func on(t *testing.T, l *Loop, f func()) {
	t.Helper()
	ran := make(chan struct{})
	if !l.Post(func() { f(); close(ran) }) {
		t.Fatal("the loop has ended")
	}
	await(t, ran)
}

// turns has the loop make n turns.
func turns(t *testing.T, l *Loop, n int) {
	t.Helper()
	for range n {
		on(t, l, func() {})
	}
}

func await[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(30 * time.Second):
		t.Fatal("waited for half a minute")
	}
	return v
}

// A record is who was served, in order.
type record struct {
	mu  sync.Mutex
	all []string
}

func (r *record) add(s string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, s)
}

func (r *record) get() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}

// listen returns a TCP listener and a duplicate of its descriptor.
func listen(t *testing.T) (net.Listener, int32) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	fd, err := Duplicate(l.(*net.TCPListener))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Close(fd) })
	return l, fd
}
