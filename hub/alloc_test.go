package hub

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/internal/edgetest"
)

// TestPublishAllocs bounds what a message costs beside what the Log does with
// it, and that a delivery costs nothing.
func TestPublishAllocs(t *testing.T) {
	h := newHub(t, Config{Log: newPlainLog(1)})
	h.cfg.Formats[0].Message = func(dst []byte, _ string, m *codec.Message) []byte { return append(append(dst, m.Content...), '\n') }
	var sinks []*counter
	for range 100 {
		s := &counter{}
		s.m.Store(enter(t, h, "den", s, Join{Username: "ann"}).Member)
		sinks = append(sinks, s)
	}
	r := h.find("den")
	m := codec.Message{Username: "ann", Content: "hello"}
	n := testing.AllocsPerRun(2000, func() {
		m.ID.Offset++
		r.deliver(&m)
		for r.busy() {
			runtime.Gosched()
		}
	})
	if n > 0 {
		t.Errorf("%v allocations for a message to 100 members", n)
	}
	for _, s := range sinks {
		s.m.Load().Leave()
	}
}

func (r *room) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flusher.state == running
}

// A counter is a Conn that takes everything and keeps nothing.
type counter struct {
	m     atomic.Pointer[Member]
	taken atomic.Int64 // bytes
}

func (s *counter) Flush() bool {
	for {
		m := s.m.Load()
		if m == nil {
			return true
		}
		p := m.Pending()
		if len(p) == 0 {
			return true
		}
		m.Wrote(len(p))
		s.taken.Add(int64(len(p)))
	}
}
func (s *counter) Later(func() bool) bool { return false }
func (s *counter) Close(uint16, string)   {}

func (*counter) Pause()  {}
func (*counter) Resume() {}

// TestReplayAllocs: what is replayed from the Log costs its own size once, and what reading it takes.
func TestReplayAllocs(t *testing.T) {
	if edgetest.Race {
		t.Skip("sync.Pool drops some of what it is given")
	}
	const messages, size = 200, 4 << 10
	h := newHub(t, Config{Log: newPlainLog(messages)})
	for i := range messages {
		say(t, h, "den", fmt.Sprint(i+1, " ", strings.Repeat("x", size)))
	}
	least := math.Inf(1)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s := &counter{}
		m := h.Join("den", s, Join{Username: "ann", Replay: true, Quiet: true}, func(Joined, error) {})
		s.m.Store(m)
		s.Flush()
		for end := time.Now().Add(30 * time.Second); s.taken.Load() < messages*size; runtime.Gosched() {
			if time.Now().After(end) {
				t.Fatalf("%d bytes were replayed", s.taken.Load())
			}
		}
		runtime.ReadMemStats(&after)
		least = min(least, float64(after.TotalAlloc-before.TotalAlloc)/float64(s.taken.Load()))
		m.Leave()
	}
	if least > 1.5 {
		t.Errorf("a byte of a replay takes %.1f of the heap, want 1.5 at most", least)
	}
}
