package chat

import (
	"bytes"
	"errors"
	"net"
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
	writes, cpu, began := r.hub.Stats().Writes, processorTime(), time.Now()
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
	spent := int(r.hub.Stats().Writes - writes)
	t.Logf("%d joined in %v: %d frames in %d writes of the server; %v of processor time for each, the clients' included",
		n, took.Round(time.Millisecond), got.Load(), spent, (processorTime()-cpu)/time.Duration(n))
	walk := walkTime(t, r, n) / 2 // half of the members are there on average
	// A room rests for 25 ms, and four times as long as a walk took. 5 writes are the member's
	// own, and what is in several chunks; and half as much again, since this machine is not always as fast.
	if most := n * (5 + int(took*3/2/(25*time.Millisecond+4*walk))/2); spent > most {
		t.Errorf("%d writes for %d that joined in %v, where a walk takes %v, want at most %d", spent, n, took, walk, most)
	}
	for _, c := range conns {
		_ = c.Close()
	}
	readers.Wait()
	eventually(t, "all have left", func() bool { return r.hub.Stats().Members == 0 && r.rt.Stats().Open == 0 })
}

// walkTime returns what it takes to write a message to n members.
func walkTime(t *testing.T, r *rig, n int) time.Duration {
	const messages = 5
	began := time.Now()
	for range messages {
		before := r.hub.Stats().Writes
		r.say("den", "how long does that take?")
		eventually(t, "all were written to", func() bool { return r.hub.Stats().Writes >= before+uint64(n) })
	}
	return time.Since(began) / messages
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

// processorTime returns what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it is for the log alone
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
