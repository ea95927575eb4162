package store

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	berrors "go.etcd.io/bbolt/errors"

	"edgechat/codec"
)

// inFile returns how many messages the file holds.
func inFile(t testing.TB, s *Store) (n int) {
	t.Helper()
	return scanned(t, s).inTree
}

func TestTrimByCount(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 10, AckDelay: time.Nanosecond}
	s := open(t, cfg)
	for i := range 150 {
		sayStored(t, s, "den", fmt.Sprint(i), "")
		p := readPage(t, s, "den", codec.Query{})
		if len(p.Messages) != min(i+1, 10) || p.Messages[len(p.Messages)-1].Content != fmt.Sprint(i) {
			t.Fatalf("%d messages after %d", len(p.Messages), i+1)
		}
		if i%50 == 49 { // what left the buffer before was never written
			foldNow(t, s)
			want(t, "in the history", inFile(t, s), 10)
		}
	}
	closeStore(t, s)

	// A smaller buffer than that of the last run.
	cfg.History = 4
	s = open(t, cfg)
	want(t, "after opening it with 4", read(t, s, "den", codec.Query{}), "146 147 148 149")
	want(t, "oldest", readPage(t, s, "den", codec.Query{}).Oldest.Offset, 147)
	want(t, "due", s.Stats().Removals, 6)
	closeStore(t, s)
	s = open(t, cfg)
	want(t, "in the file after a close", inFile(t, s), 4)
}

// TestShrink opens a store with a smaller buffer, from which more has to be
// removed than one commit does: closing it waits for that.
func TestShrink(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 10_000}
	s := open(t, cfg)
	sayAll(t, s, "den", 10_000)
	closeStore(t, s)
	cfg.History = 1
	closeStore(t, open(t, cfg))
	s = open(t, cfg)
	want(t, "in the file", inFile(t, s), 1)
	want(t, "messages", read(t, s, "den", codec.Query{}), "9999")
}

// TestTrimmedWhileWritten lets messages leave the buffer while a checkpoint puts them into the
// history: they do not stay there.
func TestTrimmedWhileWritten(t *testing.T) {
	var g gate
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 5, AckDelay: time.Nanosecond, SyncInterval: time.Hour, aroundFold: g.around}
	s := open(t, cfg)
	sayAll(t, s, "den", 4)
	sayStored(t, s, "den", "4", "")
	g.close(t)
	s.requestFold()
	<-g.started
	sayAll(t, s, "den", 3)
	sayStored(t, s, "hall", "x", "")
	g.release()
	eventually(t, "it is done", func() bool { return s.Stats().Folded == 5 })
	want(t, "due for removal", s.Stats().Removals, 3)
	closeStore(t, s)
	s = open(t, cfg)
	want(t, "in the file", inFile(t, s), 6)
	want(t, "messages", read(t, s, "den", codec.Query{}), "3 4 0 1 2")
}

// TestTrimmedBeforeRetry lets messages leave the buffer between two attempts to
// write them: the history is not cleaned of what it never held.
func TestTrimmedBeforeRetry(t *testing.T) {
	var full atomic.Bool
	held, release := make(chan struct{}), make(chan struct{})
	s := open(t, Config{History: 5, AckDelay: time.Nanosecond, aroundFold: func(commit func() error) error {
		if full.CompareAndSwap(true, false) {
			held <- struct{}{}
			<-release
			return berrors.ErrMaxSizeReached
		}
		return commit()
	}})
	sayAll(t, s, "den", 5)
	full.Store(true)
	sayStored(t, s, "hall", "", "")
	s.requestFold()
	<-held
	sayAll(t, s, "den", 3)
	close(release)
	sayStored(t, s, "hall", "x", "")
	closeStore(t, s) // and is checked
}
