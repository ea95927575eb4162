package store

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/store/wal"
)

// placeLast returns a store whose log has in its first half, as the last of it, that three messages of den left the buffer. The
// history has all before that and nothing of it: checkpoints fail since, or are held, by folds.
func placeLast(t *testing.T, folds *gate, before func(s *Store)) (*Store, *gate) {
	t.Helper()
	g := new(gate)
	s := open(t, Config{LogBytes: 2 * wal.MinHalf, HistoryBytes: 1 << 20, AckDelay: time.Nanosecond, RetryDelay: 10 * time.Millisecond,
		aroundCommit: g.around, aroundFold: folds.around})
	if before != nil {
		before(s)
	}
	// The committer is at rest while nobody waits, and this is of the test.
	for i := 0; s.wal.Used() < wal.MinHalf-2*wal.Block; i++ {
		sayStored(t, s, "hall", fmt.Sprint(i), "")
	}
	g.close(t)
	say(t, s, "hall", "x") // is being written
	<-g.started
	sayAll(t, s, "den", 3)
	s.trimTo(0)
	g.hold <- struct{}{}
	<-g.started // the log is about to tell of den
	foldNow(t, s)
	return s, g
}

// headNow returns where den would stand if power was cut now.
func headNow(t *testing.T, s *Store) uint64 {
	t.Helper()
	next := crash(t, s, Config{})
	defer closeStore(t, next)
	return next.Head("den").Offset
}

// TestTurnKeepsPlaces fills the log while checkpoints fail: the half that tells of a room what the history does
// not know yet is not used again, however much of the rest of it the history has.
func TestTurnKeepsPlaces(t *testing.T) {
	var folds gate
	s, g := placeLast(t, &folds, nil)
	folds.fail(syscall.EIO)
	g.release()
	eventually(t, "the log tells of den", func() bool { return headNow(t, s) == 3 })
	for i := 0; ; i++ { // until the other half is full, and three batches on if that does not stop it
		r := sayStored(t, s, "hall", fmt.Sprint("more", i), "")
		if head := headNow(t, s); head != 3 {
			t.Fatalf("after %d messages more den goes on behind %d", i+1, head)
		}
		if !r.Durable {
			break
		}
		if i > int(2*wal.MinHalf/wal.Block) {
			t.Fatal("the log takes what it cannot hold")
		}
	}
	folds.fail(nil)
	eventually(t, "it recovers", func() bool { return s.Ready() == nil && s.Warning() == nil })
	want(t, "durable", sayStored(t, s, "hall", "y", "").Durable, true)
	want(t, "head", headNow(t, s), 3)
}

// TestEraseKeepsPlaces is the same of a log that is being erased, since something was edited, while the checkpoint is under
// way that is to tell the history.
func TestEraseKeepsPlaces(t *testing.T) {
	var folds gate
	s, g := placeLast(t, &folds, func(s *Store) {
		id := sayStored(t, s, "hall", "secret", "").ID
		reviseStored(t, s, "hall", codec.Edit, id, "better")
	})
	want(t, "erased", s.Stats().Unerased, true)
	folds.close(t)
	g.release()
	<-folds.started                                                    // it is what erasing waits for
	want(t, "durable", sayStored(t, s, "hall", "y", "").Durable, true) // in the other half
	for range 3 {                                                      // whoever commits goes on erasing
		want(t, "durable", sayStored(t, s, "hall", "z", "").Durable, true)
		want(t, "head", headNow(t, s), 3)
	}
	folds.release()
	nowhere(t, s, []string{"secret"})
	want(t, "head", headNow(t, s), 3)
}
