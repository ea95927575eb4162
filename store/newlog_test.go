package store

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/codec"
)

// halfSaid returns a store with a commit held by g, twenty messages of den in its log, and a queue of which
// one commit takes a part: ten of den that were displaced, what others said, five of den, what others said, and what
// displaced the ten.
func halfSaid(t *testing.T, g *gate) *Store {
	t.Helper()
	s := open(t, Config{History: 20, CommitBytes: 4 << 10, LogBytes: 1 << 20, AckDelay: time.Nanosecond, RetryDelay: 10 * time.Millisecond, aroundCommit: g.around})
	for i := range 20 {
		want(t, "durable", sayStored(t, s, "den", fmt.Sprint("old", i), "").Durable, true)
	}
	g.close(t)
	say(t, s, "hall", "x") // is being written
	<-g.started
	others := func(n int) {
		for i := range n {
			say(t, s, fmt.Sprint("other", i), strings.Repeat("x", 1000))
		}
	}
	sayAll(t, s, "den", 10)
	others(20)
	sayAll(t, s, "den", 5)
	others(40)
	sayAll(t, s, "den", 15)
	return s
}

// TestNewLogWhileOpen: a new log is made after a fault while what displaced some messages is not written yet. It says no more
// of them than the old one did, so that a power cut then leaves what was acknowledged.
func TestNewLogWhileOpen(t *testing.T) {
	var g gate
	s := halfSaid(t, &g)
	g.hold <- struct{}{}
	<-g.started
	g.fail(syscall.EIO) // the one after that which is held
	g.hold <- struct{}{}
	<-g.started
	g.fail(nil)
	g.hold <- struct{}{}
	<-g.started // the first write to the new log
	g.hold <- struct{}{}
	<-g.started // it is made, and what is in the queue comes next
	next := crash(t, s, Config{History: 20})
	p := readPage(t, next, "den", codec.Query{})
	if n := len(p.Messages); n != 20 || p.Messages[0].Content != "old0" {
		t.Errorf("%d of 20 acknowledged messages are there, from %s to %s", n, p.Oldest, p.Head)
	}
	g.release()
	sayStored(t, s, "hall", "y", "")
	eventually(t, "all is written", func() bool { return s.pending() == 0 && s.Ready() == nil && sayStored(t, s, "hall", "z", "").Durable })
	next = crash(t, s, Config{History: 20})
	want(t, "den", read(t, next, "den", codec.Query{}), read(t, s, "den", codec.Query{}))
}

// TestNewLogTells: what the old log told of messages that left the buffer before they were written is in the new one, also
// while a checkpoint is under way that was to tell the history.
func TestNewLogTells(t *testing.T) {
	for _, folding := range []bool{false, true} {
		t.Run(fmt.Sprint("checkpoint under way ", folding), func(t *testing.T) {
			var g, folds gate
			s := open(t, Config{AckDelay: time.Nanosecond, RetryDelay: 10 * time.Millisecond, aroundCommit: g.around, aroundFold: folds.around})
			sayFolded(t, s, "hall", "w", "")
			g.close(t)
			say(t, s, "hall", "x")
			<-g.started
			sayAll(t, s, "den", 3)
			s.trimTo(0)
			g.release()
			want(t, "durable", sayStored(t, s, "hall", "x", "").Durable, true)
			want(t, "head by the old log", crash(t, s, Config{}).Head("den").Offset, 3)
			if folding {
				folds.close(t)
				s.requestFold()
				<-folds.started
			}
			g.fail(syscall.EIO)
			want(t, "durable", sayStored(t, s, "hall", "y", "").Durable, false)
			g.fail(nil)
			eventually(t, "it recovers", func() bool { return s.Ready() == nil })
			want(t, "head by the new log", crash(t, s, Config{}).Head("den").Offset, 3)
			if folding {
				folds.release()
			}
		})
	}
}

// TestTwoCrashes: power is cut while what displaced some messages is not written yet, and again before the next checkpoint.
// The second start has what the first had.
func TestTwoCrashes(t *testing.T) {
	for _, fault := range []bool{false, true} {
		t.Run(fmt.Sprint("a new log in between ", fault), func(t *testing.T) {
			var g, commits, folds gate
			s := halfSaid(t, &g)
			for range 3 { // the last begins with what others said, and has five of den
				g.hold <- struct{}{}
				<-g.started
			}
			folds.fail(syscall.EIO)
			next := crash(t, s, Config{History: 20, AckDelay: time.Nanosecond, RetryDelay: 10 * time.Millisecond, aroundCommit: commits.around, aroundFold: folds.around})
			t.Cleanup(func() { folds.fail(nil) })
			had := read(t, next, "den", codec.Query{})
			if !strings.Contains(had, "old19") || !strings.HasSuffix(had, "4") {
				t.Fatalf("this tests nothing: %q", had)
			}
			if fault {
				commits.fail(syscall.EIO)
				want(t, "durable", sayStored(t, next, "hall", "y", "").Durable, false)
				commits.fail(nil)
				eventually(t, "it recovers", func() bool { return next.Ready() == nil })
			}
			want(t, "durable", sayStored(t, next, "hall", "z", "").Durable, true)
			want(t, "den", read(t, crash(t, next, Config{History: 20}), "den", codec.Query{}), had)
		})
	}
}
