package store

import (
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/codec"
)

// A gate stands around commits: it can hold them, or fail them.
type gate struct {
	mu      sync.Mutex
	hold    chan struct{}
	started chan struct{} // a commit that is held
	err     error
	fails   int // commits that were failed
}

// close holds what comes until release, or until a test that failed is over: its store could not be closed else.
func (g *gate) close(t testing.TB) {
	t.Cleanup(g.release)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hold, g.started = make(chan struct{}), make(chan struct{}, 100)
}

func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.hold != nil {
		close(g.hold)
		g.hold = nil
	}
}

func (g *gate) fail(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.err = err
}

func (g *gate) failed() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.fails
}

func (g *gate) around(commit func() error) error {
	g.mu.Lock()
	hold, started, err := g.hold, g.started, g.err
	if err != nil {
		g.fails++
	}
	g.mu.Unlock()
	if hold != nil {
		started <- struct{}{}
		<-hold // closed, or one token for one commit
	}
	if err != nil {
		return err
	}
	return commit()
}

// TestStallErasing: a card that hangs while the log is erased is told of, as one that hangs in a commit.
func TestStallErasing(t *testing.T) {
	t.Parallel()
	var g gate
	s := open(t, Config{StallAfter: 20 * time.Millisecond, aroundCommit: g.around})
	id := sayFolded(t, s, "den", "secret", "").ID
	reviseStored(t, s, "den", codec.Deletion, id, "")
	g.close(t)
	foldNow(t, s)
	<-g.started // the batch with which the log goes on in its other half
	eventually(t, "Ready complains", func() bool { return s.Ready() != nil })
	g.release()
	eventually(t, "the log is erased", func() bool { return !s.Stats().Unerased })
	eventually(t, "Ready", func() bool { return s.Ready() == nil })
}

// TestStall holds a commit, as a card does that reorganizes itself: all goes on but
// receipts.
func TestStall(t *testing.T) {
	t.Parallel()
	var g gate
	s := open(t, Config{History: 50, MaxWaiting: 10, StallAfter: 20 * time.Millisecond, aroundCommit: g.around})
	sayStored(t, s, "den", "before", "k")
	g.close(t)
	done := make(chan codec.Receipt, 100)
	told := func(r codec.Receipt) { done <- r }
	if _, err := s.appended("den", codec.Message{Content: "x"}, "", told); err != nil {
		t.Fatal(err)
	}
	<-g.started
	for range 9 {
		if _, err := s.appended("hall", codec.Message{Content: "y"}, "", told); err != nil {
			t.Fatal(err)
		}
	}
	want(t, "messages", read(t, s, "den", codec.Query{}), "before x")
	want(t, "messages", read(t, s, "hall", codec.Query{Limit: 2}), "y y")
	// What is on disk already does not wait for what is not.
	want(t, "receipt of an earlier message", sayStored(t, s, "den", "z", "k").Durable, true)
	// Who comes when too many wait is told.
	want(t, "receipt of the one that is too many", sayStored(t, s, "den", "z", "").Durable, false)
	want(t, "refused", s.Stats().Refused, 1)
	want(t, "waiting", s.Stats().Waiting, 10)
	if len(done) > 0 {
		t.Error("a receipt before the commit")
	}
	eventually(t, "Ready complains", func() bool { return s.Ready() != nil })
	if err := s.Ready(); !strings.Contains(err.Error(), "the disk has not answered for") {
		t.Error(err)
	}
	// Memory is bounded by the buffer however long it takes.
	sayAll(t, s, "den", 30_000)
	if n := s.Stats().Pending; n > 2*compactQueueAt {
		t.Errorf("%d pending of a buffer of 60", n)
	}
	g.release()
	for range 10 {
		want(t, "durable", (<-done).Durable, true)
	}
	eventually(t, "Ready", func() bool { return s.Ready() == nil })
}
