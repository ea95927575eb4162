package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgechat/codec"
)

// TestCutWhileErasing: the half of the log that says how the store was opened may go once the other says it. Power that is cut
// in between finds a store that crashed, and not one whose log is another's: its acknowledged messages would be put aside.
func TestCutWhileErasing(t *testing.T) {
	t.Parallel()
	type cut struct {
		path  string
		acked uint64
	}
	var s *Store
	var cuts []cut // of the committer alone, until the store is closed
	var acked atomic.Uint64
	var turned atomic.Bool // the log goes on in its other half
	dir := t.TempDir()
	cfg := Config{Path: filepath.Join(dir, "edgechat.db"), LogBytes: 128 << 10}
	cfg.aroundCommit = func(commit func() error) error {
		if acked.Load() == 0 { // the store is being opened
			return commit()
		}
		at := cut{filepath.Join(dir, fmt.Sprintf("%d.db", len(cuts))), acked.Load()}
		copyStore(t, cfg.Path, at.path)
		cuts = append(cuts, at)
		before, _ := s.wal.Position()
		err := commit()
		after, _ := s.wal.Position()
		turned.Store(turned.Load() || after != before)
		return err
	}
	s = open(t, cfg)
	said := sayStored(t, s, "den", "a secret", "").ID
	acked.Store(said.Offset)
	done := make(chan codec.Receipt, 1)
	tell := func(r codec.Receipt) { done <- r }
	if _, err := s.revised("den", codec.Message{Kind: codec.Edit, Target: said, Content: "none"}, codec.Claim{All: true}, "", tell); err != nil {
		t.Fatal(err)
	}
	if r := <-done; !r.Durable {
		t.Fatal("the edit is not on disk")
	}
	// A turn has all put into the history, and what was changed is erased then. Nothing is said meanwhile.
	for !turned.Load() {
		acked.Store(sayStored(t, s, "den", strings.Repeat("x", 4000), "").ID.Offset)
	}
	eventually(t, "the log is erased", func() bool { return s.Stats().Erased > 0 })
	closeStore(t, s)
	for _, at := range cuts {
		cut := open(t, Config{Path: at.path})
		if head := cut.Head("den").Offset; cut.found != StartCrash || head < at.acked {
			t.Errorf("%s: found %s, with %d messages of %d", filepath.Base(at.path), cut.found, head, at.acked)
		}
	}
}

// TestCutBeforeLogged: a start cannot write to the log, and puts a part of what that has into the history; then power is cut. The
// rest is not put aside.
func TestCutBeforeLogged(t *testing.T) {
	var folds gate
	s := open(t, Config{aroundFold: folds.around})
	folds.fail(syscall.EIO)
	t.Cleanup(func() { folds.fail(nil) })
	for i := range 30 {
		r := sayStored(t, s, "den", fmt.Sprint(i)+strings.Repeat("x", 100_000), "")
		want(t, "durable", r.Durable, true)
	}
	var n atomic.Int32
	next := crash(t, s, Config{
		aroundCommit: func(commit func() error) error { return syscall.EIO },
		aroundFold: func(commit func() error) error {
			if n.Add(1) > 1 {
				return syscall.EIO
			}
			return commit()
		},
		RetryDelay: 30 * time.Second,
	})
	want(t, "there", len(readPage(t, next, "den", codec.Query{}).Messages), 30)
	eventually(t, "a second transaction", func() bool { return n.Load() > 1 })
	again := crash(t, next, Config{})
	want(t, "after a second cut", len(readPage(t, again, "den", codec.Query{}).Messages), 30)
}
