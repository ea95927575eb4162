package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgechat/codec"
)

// TestErasedAfterCut: what a deletion took away leaves the disk, also where a start takes its message out of the buffer before it
// finds the deletion.
func TestErasedAfterCut(t *testing.T) {
	s := behind(t, 3)
	target := readPage(t, s, "den", codec.Query{}).Messages[0].ID
	secret := "[the secret that was edited]"
	edit := codec.Message{Kind: codec.Edit, Target: target, Content: secret}
	if _, err := s.revised("den", edit, codec.Claim{All: true}, "", nil); err != nil {
		t.Fatal(err)
	}
	sayStored(t, s, "den", "3", "")
	foldNow(t, s)
	say(t, s, "den", "4")
	if _, err := s.revised("den", codec.Message{Kind: codec.Deletion, Target: target}, codec.Claim{All: true}, "", nil); err != nil {
		t.Fatal(err)
	}
	say(t, s, "den", "6")
	sayStored(t, s, "den", "7", "")
	want(t, "not written", s.Stats().Unwritten, 1)

	s = crash(t, s, Config{History: 3})
	foldNow(t, s)
	eventually(t, "the log is erased", func() bool { return !s.Stats().Unerased })
	nowhere(t, s, []string{secret})
}

// TestDeletionPassedOver: a deletion is displaced before it is written, while the disk is full for a while. What it took away
// leaves the disk all the same.
func TestDeletionPassedOver(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		t.Run(fmt.Sprint(crashed), func(t *testing.T) {
			var g gate
			s := open(t, Config{History: 3, AckDelay: time.Nanosecond, RetryDelay: 10 * time.Millisecond, aroundCommit: g.around})
			sayFolded(t, s, "hall", "old", "")
			secret := "[the secret that was deleted]"
			target := sayFolded(t, s, "den", secret, "").ID
			g.fail(syscall.ENOSPC)
			if _, err := s.revised("den", codec.Message{Kind: codec.Deletion, Target: target}, codec.Claim{All: true}, "", nil); err != nil {
				t.Fatal(err)
			}
			want(t, "durable", sayStored(t, s, "den", "3", "").Durable, false)
			say(t, s, "den", "4")
			say(t, s, "den", "5")
			failed := g.failed()
			eventually(t, "it fails again", func() bool { return g.failed() > failed+1 })
			g.fail(nil)
			eventually(t, "it recovers", func() bool { return s.Ready() == nil })
			want(t, "durable", sayStored(t, s, "den", "6", "").Durable, true)
			if s.Stats().Unwritten == 0 {
				t.Fatal("this tests nothing")
			}
			if crashed {
				s = crash(t, s, Config{History: 3})
			}
			foldNow(t, s)
			sayFolded(t, s, "hall", "again", "")
			eventually(t, "the log is erased", func() bool { return !s.Stats().Unerased })
			nowhere(t, s, []string{secret})
		})
	}
}

// TestDeleteLost: whoever deletes a message that a power cut lost does not delete what has its offset now, of which the edit
// alone is in the buffer.
func TestDeleteLost(t *testing.T) {
	s := behind(t, 3)
	lost, err := s.appended("den", codec.Message{Content: "lost"}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	s = crash(t, s, Config{History: 3})
	said := sayStored(t, s, "den", "said", "").ID
	want(t, "offset", said.Offset, lost.Offset)
	if _, err := s.revised("den", codec.Message{Kind: codec.Edit, Target: said, Content: "edited"}, codec.Claim{All: true}, "", nil); err != nil {
		t.Fatal(err)
	}
	say(t, s, "den", "4")
	say(t, s, "den", "5")
	for target, wanted := range map[codec.ID]error{lost: codec.ErrNoTarget, said: nil} {
		_, err := s.revised("den", codec.Message{Kind: codec.Deletion, Target: target}, codec.Claim{All: true}, "", nil)
		if !errors.Is(err, wanted) {
			t.Errorf("deletion of %s: %v, want %v", target, err, wanted)
		}
	}
}

// TestFollowerPurges: a follower is told of a deletion of what has left its buffer, and not that of the node which took it.
func TestFollowerPurges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edgechat.db")
	f, err := OpenFollower(Config{Path: path, History: 3, identify: func(*os.File) string { return "the same" }})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pos, offs := uint64(1)<<epochShift, map[string]uint64{}
	apply := func(room string, m codec.Message) codec.ID {
		pos++
		offs[room]++
		m.ID = codec.ID{Epoch: "epoch1", Offset: offs[room]}
		done := make(chan codec.Receipt, 1)
		if err := f.Apply(Positioned{pos, codec.Record{Room: room, Message: m}}, func(r codec.Receipt) { done <- r }); err != nil {
			t.Fatal(err)
		}
		<-done
		return m.ID
	}
	secret := "[the secret that was deleted]"
	apply("hall", codec.Message{Content: "old"})
	target := apply("den", codec.Message{Content: secret})
	foldNow(t, f.Store())
	for range 3 {
		apply("den", codec.Message{Content: "x"})
	}
	foldNow(t, f.Store())
	apply("den", codec.Message{Kind: codec.Deletion, Target: target})
	foldNow(t, f.Store())
	nowhere(t, f.Store(), []string{secret})
}

// TestTracesRemembered: a checkpoint fails behind the transaction that had a deletion, the log goes on where it said so, and power is
// cut: what was deleted is on free pages of the history, and the next start knows it.
func TestTracesRemembered(t *testing.T) {
	var allowed atomic.Int32 // transactions
	allowed.Store(1000)
	s := open(t, Config{LogBytes: 4 << 20, AckDelay: time.Nanosecond, RetryDelay: 30 * time.Second, aroundFold: func(commit func() error) error {
		if allowed.Add(-1) < 0 {
			return syscall.ENOSPC
		}
		return commit()
	}})
	large := func(n int) {
		for range n {
			want(t, "durable", sayStored(t, s, "hall", strings.Repeat("x", 100_000), "").Durable, true)
		}
	}
	sayFolded(t, s, "hall", "old", "")
	secret := "[the secret that was deleted]"
	target := sayFolded(t, s, "den", secret, "").ID
	large(10)
	foldNow(t, s)
	allowed.Store(0)
	reviseStored(t, s, "den", codec.Deletion, target, "")
	large(21)
	eventually(t, "a fold fails", func() bool { return s.Warning() != nil })
	allowed.Store(1)
	done := make(chan error, 1)
	s.folds <- fold{done: done}
	if err := <-done; err == nil {
		t.Fatal("the checkpoint came to its end")
	}
	large(20)
	var folds gate
	folds.fail(syscall.ENOSPC)
	next := crash(t, s, Config{LogBytes: 4 << 20, RetryDelay: 30 * time.Second, aroundFold: folds.around})
	for _, path := range []string{next.cfg.Path, next.logPath()} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(secret)) && !next.Stats().Unerased {
			t.Errorf("%s has what was deleted, and the store does not know it", filepath.Base(path))
		}
	}
	alone := filepath.Join(t.TempDir(), "edgechat.db") // where there is no log to tell it
	copyFile(t, next.cfg.Path, alone)
	foldNow(t, open(t, Config{Path: alone}))
	if b, err := os.ReadFile(alone); err != nil || bytes.Contains(b, []byte(secret)) {
		t.Errorf("without its log the history has what was deleted; %v", err)
	}
	allowed.Store(1000)
	folds.fail(nil)
}

// TestTracesInHalf: the log goes on in a half that was to be erased and is not yet, which is no half that was given up any more; power
// is cut, and the next start goes on with it.
func TestTracesInHalf(t *testing.T) {
	secret := "[the secret of before]"
	cut := filepath.Join(t.TempDir(), "edgechat.db")
	var s *Store
	var turned, erase atomic.Bool
	s = open(t, Config{LogBytes: 2 << 20, aroundCommit: func(commit func() error) error {
		if s == nil {
			return commit()
		}
		before, _ := s.wal.Position()
		if erase.Swap(false) { // as eraseSome does, of which one step was done when a commit finds the half full
			s.erasing = true
			s.wal.Forget()
			if _, err := s.wal.Erase(s.checkpointed.Load()); err != nil {
				return err
			}
			s.wal.Turn()
			defer copyStore(t, s.cfg.Path, cut)
		}
		err := commit()
		after, _ := s.wal.Position()
		turned.Store(before != after)
		return err
	}})
	large := strings.Repeat("x", 100_000)
	sayStored(t, s, "den", large, "")
	sayStored(t, s, "den", secret, "")
	for !turned.Load() {
		sayStored(t, s, "den", large, "")
	}
	foldNow(t, s)
	erase.Store(true)
	sayStored(t, s, "den", "x", "")
	next := open(t, Config{Path: cut})
	foldNow(t, next)
	eventually(t, "the log is erased", func() bool { return !next.Stats().Unerased })
	if b, err := os.ReadFile(next.logPath()); err != nil || bytes.Contains(b, []byte(secret)) {
		t.Errorf("it is in the log; %v", err)
	}
}
