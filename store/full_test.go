package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	berrors "go.etcd.io/bbolt/errors"

	"edgechat/codec"
)

var errFull = fmt.Errorf("commit: %w", syscall.ENOSPC)

// TestFull fails commits for want of space: the chat goes on, and nothing is
// missing once there is space.
func TestFull(t *testing.T) {
	t.Parallel()
	var g gate
	cfg := Config{
		Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 100, RetryDelay: 10 * time.Millisecond,
		AckDelay: time.Nanosecond, aroundCommit: g.around,
	}
	s := open(t, cfg)
	stored := sayStored(t, s, "den", "stored", "k")
	g.fail(errFull)
	r := sayStored(t, s, "den", "x", "k2")
	want(t, "durable", r.Durable, false)
	if err := s.Ready(); err == nil || !strings.Contains(err.Error(), "no space left on device") || !strings.Contains(err.Error(), cfg.Path) {
		t.Errorf("ready: %v", err)
	}
	want(t, "degraded", s.Stats().Degraded, true)
	want(t, "a message while it is known to be full", sayStored(t, s, "den", "y", "").Durable, false)
	want(t, "the same again", sayStored(t, s, "den", "x", "k2"), r)
	want(t, "one that is on disk", sayStored(t, s, "den", "x", "k"), stored)
	want(t, "messages", read(t, s, "den", codec.Query{After: &stored.ID}), "x y")
	g.fail(nil)
	eventually(t, "it recovers", func() bool { return s.Ready() == nil })
	want(t, "the same again", sayStored(t, s, "den", "x", "k2"), codec.Receipt{ID: r.ID, Durable: true})
	want(t, "reopens", s.Stats().Reopens, 0) // nothing is wrong with what bbolt holds
	next := crash(t, s, cfg)
	want(t, "what is on disk", read(t, next, "den", codec.Query{After: &stored.ID}), "x y")

	// While it is full, memory holds no more than the buffer.
	g.fail(errFull)
	sayStored(t, s, "den", "z", "")
	sayAll(t, s, "den", 50_000)
	eventually(t, "what left the buffer is dropped", func() bool { // once a commit that is under way has failed
		st := s.Stats()
		return st.Pending <= 2*compactQueueAt && st.Unwritten >= 40_000
	})
	want(t, "messages", len(readPage(t, s, "den", codec.Query{}).Messages), 100)
	g.fail(nil)
	eventually(t, "it recovers", func() bool { return s.Ready() == nil && s.Stats().Pending == 0 })
	closeStore(t, s)
	cfg.aroundCommit = nil
	s = open(t, cfg)
	want(t, "newest", read(t, s, "den", codec.Query{Limit: 1, Newest: true}), "49999")
	want(t, "messages", len(readPage(t, s, "den", codec.Query{}).Messages), 100)
}

// TestFullAtClose: what could not be written is named, and the next start opens an epoch.
func TestFullAtClose(t *testing.T) {
	var g gate
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), aroundCommit: g.around}
	s := open(t, cfg)
	stored := sayStored(t, s, "den", "stored", "")
	g.fail(errFull)
	lost := say(t, s, "den", "lost")
	done := make(chan codec.Receipt, 1)
	_, _ = s.appended("den", codec.Message{}, "", func(r codec.Receipt) { done <- r })
	err := s.Close()
	if err == nil || !strings.Contains(err.Error(), "2 messages were not written") {
		t.Errorf("close: %v", err)
	}
	want(t, "durable", (<-done).Durable, false)
	g.fail(nil)
	s = open(t, cfg)
	if e := s.Stats().Epoch; e == stored.ID.Epoch {
		t.Error("the epoch goes on, although numbers of it are lost")
	}
	say(t, s, "den", "new")
	want(t, "whoever saw the lost one", read(t, s, "den", codec.Query{After: &lost}), "new")
}

// TestStartDegraded opens a store whose file looks closed in order, while the
// disk takes nothing: the numbers of this run are not those of a run that knows
// nothing of it.
func TestStartDegraded(t *testing.T) {
	for _, err := range []error{errFull, syscall.EIO} {
		t.Run(err.Error(), func(t *testing.T) {
			var g gate
			cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), RetryDelay: 10 * time.Millisecond, aroundCommit: g.around}
			s := open(t, cfg)
			old := sayStored(t, s, "den", "old", "").ID
			closeStore(t, s)
			g.fail(err)
			s = open(t, cfg)
			lost := sayStored(t, s, "den", "lost", "")
			want(t, "durable", lost.Durable, false)
			if lost.ID.Epoch == old.Epoch {
				t.Error("the epoch goes on, although the file looks closed in order")
			}
			want(t, "after a cursor of the last run", read(t, s, "den", codec.Query{After: &old}), "lost")
			next := crash(t, s, Config{})
			again := say(t, next, "den", "again")
			want(t, "epoch of a start that knows nothing of it", again.Epoch, old.Epoch)
			want(t, "after a cursor that it does not know", read(t, next, "den", codec.Query{After: &lost.ID}), "!old again")

			g.fail(nil)
			eventually(t, "it recovers", func() bool { return s.Ready() == nil && s.Stats().Pending == 0 })
			closeStore(t, s)
			s = open(t, cfg)
			want(t, "epoch", s.Stats().Epoch, lost.ID.Epoch)
			want(t, "after a cursor of the first run", read(t, s, "den", codec.Query{After: &old}), "lost")
		})
	}
}

// TestQuota fills a file up to its quota: older messages make room.
func TestQuota(t *testing.T) {
	t.Parallel()
	s := open(t, Config{
		HistoryBytes: 4 << 20, History: 100_000, quota: 3 << 20, AckDelay: time.Nanosecond,
		CommitBytes: 64 << 10, RetryDelay: time.Millisecond,
	})
	for i := range 10_000 {
		say(t, s, fmt.Sprint("room", i%7), strings.Repeat("x", 1000))
		if i%100 == 0 {
			want(t, "durable", sayStored(t, s, "den", fmt.Sprint(i), "").Durable, true)
		}
	}
	st := s.Stats()
	if st.Squeezed == 0 || st.Bytes < 1<<20 {
		t.Errorf("%+v", st)
	}
	want(t, "newest", read(t, s, "den", codec.Query{Limit: 1, Newest: true}), "9900")
	want(t, "lost", st.Lost, 0)
}

// TestQuotaDisplaced has the history reach its quota while messages are displaced by others that are not in the
// log: these stay until they are, whatever else has to make room.
func TestQuotaDisplaced(t *testing.T) {
	var g gate
	var full atomic.Int32
	cfg := Config{
		Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 5, AckDelay: time.Nanosecond, SyncInterval: time.Hour, aroundCommit: g.around,
		aroundFold: func(commit func() error) error {
			if full.Add(-1) >= 0 {
				return berrors.ErrMaxSizeReached
			}
			return commit()
		},
	}
	s := open(t, cfg)
	for range 5 {
		say(t, s, "large", strings.Repeat("x", 20_000))
	}
	sayAll(t, s, "den", 4)
	sayStored(t, s, "den", "4", "") // all of it was acknowledged, if somebody had asked
	foldNow(t, s)
	sayStored(t, s, "hall", "x", "") // for a checkpoint

	g.close(t)
	done := make(chan codec.Receipt, 1)
	if _, err := s.appended("hall", codec.Message{Content: "y"}, "", func(r codec.Receipt) { done <- r }); err != nil {
		t.Fatal(err)
	}
	<-g.started
	sayAll(t, s, "den", 3) // in memory alone
	full.Store(2)          // once before what was released goes, and once after that
	foldNow(t, s)
	if st := s.Stats(); st.Squeezed != 1 || st.Removed == 0 {
		t.Errorf("this tests nothing: %+v", st)
	}
	next := crash(t, s, Config{History: 5})
	want(t, "what was acknowledged", read(t, next, "den", codec.Query{}), "0 1 2 3 4")
	if n := len(readPage(t, next, "large", codec.Query{}).Messages); n == 0 || n == 5 {
		t.Errorf("%d of the large ones are left", n)
	}
	g.release()
	want(t, "durable", (<-done).Durable, true)
	sayStored(t, s, "den", "3", "") // after which all is released
	closeStore(t, s)
	s = open(t, Config{Path: cfg.Path, History: 5})
	want(t, "in the end", read(t, s, "den", codec.Query{}), "4 0 1 2 3")
}
