package chat

import (
	"bytes"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// TestJoinStorm has a thousand clients join one room at once, and leave at
// once. Every one that is there is told of every one that comes after it, itself included: half
// a million frames. What counts is that they are not half a million writes: while a storm
// lasts, the room writes events to a member some 40 times a second at most.
func TestJoinStorm(t *testing.T) {
	r := newRig(t)
	const at = 8
	n := *joins / at * at
	var due, got atomic.Int64
	due.Store(int64(n) * int64(n+1) / 2)
	conns := make([]net.Conn, n)
	var clients, readers sync.WaitGroup
	writes, cpu, began := systemWrites(t), processorTime(), time.Now()
	for g := range at {
		clients.Go(func() {
			for i := g; i < n; i += at {
				c := r.room("den", "username=someone")
				conns[i] = c.Conn
				readers.Go(func() { countFrames(t, c, "joined", &got) })
			}
		})
	}
	clients.Wait()
	eventually(t, "all heard of all", func() bool { return got.Load() == due.Load() })
	took := time.Since(began)
	spent := systemWrites(t) - writes
	t.Logf("%d joined in %v: %d frames in %d writes, both sides; %v of processor time for each, the clients' included",
		n, took.Round(time.Millisecond), got.Load(), spent, (processorTime()-cpu)/time.Duration(n))
	// Half of the members are there on average. 10 writes are the request, the
	// answer, what is the member's own, and what is in several chunks.
	if most := n * (10 + int(took/(25*time.Millisecond))/2); spent > most {
		t.Errorf("%d writes for %d that joined in %v, want at most %d", spent, n, took, most)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	readers.Wait()
	eventually(t, "all have left", func() bool { return r.hub.Stats().Members == 0 && r.rt.Stats().Open == 0 })
}

// countFrames adds how often word comes, until the connection ends.
func countFrames(t *testing.T, c *edgetest.Client, word string, sum *atomic.Int64) {
	for {
		_, p, err := c.Read()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				t.Errorf("a client was cut: %v", err)
			}
			return
		}
		if bytes.Contains(p, []byte(word)) {
			sum.Add(1)
		}
	}
}

// systemWrites returns how many write system calls this process has made
// (proc_pid_io(5)); 0 if the kernel was built not to say.
func systemWrites(t *testing.T) (n int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0
	}
	if _, rest, found := strings.Cut(string(b), "syscw: "); found {
		if n, err = strconv.Atoi(strings.Fields(rest)[0]); err != nil {
			t.Fatalf("/proc/self/io: %q", b)
		}
	}
	return n
}

// processorTime returns what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it is for the log alone
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
