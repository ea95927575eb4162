package store

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edgechat/codec"
)

// TestBurst says more in one go than the buffer holds: what leaves it before it is
// written is never written, and its sender is told once the rest is on disk.
func TestBurst(t *testing.T) {
	s := open(t, Config{History: 10, SyncInterval: time.Hour})
	say(t, s, "den", "old")
	sayStored(t, s, "hall", "x", "") // so that the next commit is not at once
	first := make(chan codec.Receipt, 1)
	if _, err := s.appended("den", codec.Message{}, "", func(r codec.Receipt) { first <- r }); err != nil {
		t.Fatal(err)
	}
	sayAll(t, s, "den", 20_000)
	want(t, "durable", (<-first).Durable, true)
	want(t, "messages", len(readPage(t, s, "den", codec.Query{}).Messages), 10)

	// What lies between the old message and the last ten was never on disk, but for what was said between a
	// compaction of the queue and the next commit, of which there are two.
	sayStored(t, s, "hall", "x", "") // now all that was said is settled
	st := s.Stats()
	want(t, "settled", st.Written+st.Unwritten, 20_004)
	if st.Written > 2*compactQueueAt+100 {
		t.Errorf("%d written, %d left the buffer before", st.Written, st.Unwritten)
	}
	next := crash(t, s, Config{History: 20})
	p := readPage(t, next, "den", codec.Query{})
	want(t, "newest", p.Messages[len(p.Messages)-1].Content, "19999")
	want(t, "those of the buffer", p.Messages[len(p.Messages)-10].Content, "19990")
	want(t, "head", next.Head("den").Offset, 20_002)
	cursor := codec.ID{Epoch: s.Stats().Epoch, Offset: 20_000}
	want(t, "after the last but two", read(t, next, "den", codec.Query{After: &cursor}), "19998 19999")
}

// TestChunks has more pending than one commit takes: no receipt comes before its message
// is written.
func TestChunks(t *testing.T) {
	var g gate
	s := open(t, Config{History: 1000, CommitBytes: 4 << 10, AckDelay: time.Nanosecond, aroundCommit: g.around})
	g.close(t)
	say(t, s, "den", strings.Repeat("x", 5000)) // is being written
	<-g.started
	sayAll(t, s, "den", 300) // of 70 bytes
	before := s.Stats().Commits
	done := make(chan uint64, 1)
	if _, err := s.appended("den", codec.Message{}, "", func(codec.Receipt) { done <- s.Stats().Written }); err != nil {
		t.Fatal(err)
	}
	g.release()
	want(t, "written at the receipt", <-done, 302)
	if n := s.Stats().Commits - before; n < 3 {
		t.Errorf("%d commits: this tests nothing", n)
	}
}

// TestCloseChunks closes a store with more pending than one commit takes, since the
// disk was full until then.
func TestCloseChunks(t *testing.T) {
	var g gate
	cfg := Config{
		Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 1000, CommitBytes: 4 << 10,
		RetryDelay: 30 * time.Second, aroundCommit: g.around,
	}
	s := open(t, cfg)
	g.fail(errFull)
	sayStored(t, s, "den", "x", "")
	sayAll(t, s, "den", 999)
	g.fail(nil)
	closeStore(t, s)
	epoch := s.Stats().Epoch
	s = open(t, cfg)
	want(t, "messages", len(readPage(t, s, "den", codec.Query{}).Messages), 1000)
	want(t, "epoch", s.Stats().Epoch, epoch)
}

// TestDisplacedReceipt: messages that left the buffer before they were written are told to be
// durable when what displaced them is on disk, and not before, whatever other rooms fill the commits in between.
func TestDisplacedReceipt(t *testing.T) {
	var g gate
	cfg := Config{History: 20, CommitBytes: 4 << 10, LogBytes: 1 << 20, AckDelay: time.Nanosecond, aroundCommit: g.around}
	s := open(t, cfg)
	g.close(t)
	say(t, s, "hall", "x") // is being written
	<-g.started
	var told [300]bool
	tell := func(results <-chan int) {
		for len(results) > 0 {
			told[<-results] = true
		}
	}
	results := make(chan int, 300)
	for i := range 300 {
		if _, err := s.appended("den", codec.Message{Content: fmt.Sprint(i)}, "", func(r codec.Receipt) {
			if r.Durable {
				results <- i
			}
		}); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			say(t, s, fmt.Sprint("other", i), strings.Repeat("x", 1000))
		}
	}
	for commits := 0; ; commits++ { // one by one, with a power cut after each
		g.hold <- struct{}{}
		held := false // the next is; a commit may also be of what left the buffer alone, while nothing is pending
		eventually(t, "another commit, or that all are told", func() bool {
			select {
			case <-g.started:
				held = true
			default:
				tell(results)
			}
			return held || !slices.Contains(told[:], false)
		})
		time.Sleep(20 * time.Millisecond) // whoever is told is told by now; too late is no failure
		tell(results)
		next := crash(t, s, Config{History: 20})
		p := readPage(t, next, "den", codec.Query{})
		newest := uint64(0)
		if n := len(p.Messages); n > 0 {
			newest = p.Messages[n-1].ID.Offset
		}
		for i := range told {
			offset := uint64(i + 1)
			found := false
			for _, m := range p.Messages {
				found = found || m.ID.Offset == offset
			}
			if told[i] && !found && newest < offset+20 {
				t.Fatalf("after %d commits: message %d was acknowledged; neither it nor what displaced it is there: the newest is %d", commits, offset, newest)
			}
		}
		closeStore(t, next)
		if !held {
			if commits < 3 {
				t.Errorf("%d commits: this tests nothing", commits)
			}
			break
		}
	}
	g.release()
}

// TestReceiptsInFlood: more is said all the time than the disk takes. Who waits for what was displaced before it was
// written is told all the same, and the queue has an end.
func TestReceiptsInFlood(t *testing.T) {
	const rooms = 7
	s := open(t, Config{
		History: 50, CommitBytes: 4 << 10, AckDelay: time.Nanosecond, // so that all rooms take twenty commits
		aroundCommit: func(commit func() error) error { time.Sleep(20 * time.Millisecond); return commit() },
	})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { // until stop
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				say(t, s, fmt.Sprint("room", i%rooms), strings.Repeat("x", 1000))
			}
		}
	}()
	for range 3 {
		passed := s.Stats().Unwritten
		receipt := make(chan codec.Receipt, 1)
		if _, err := s.appended("room0", codec.Message{}, "", func(r codec.Receipt) { receipt <- r }); err != nil {
			t.Fatal(err)
		}
		select {
		case r := <-receipt:
			want(t, "durable", r.Durable, true)
		case <-time.After(30 * time.Second):
			t.Fatalf("no receipt while %d messages were passed over", s.Stats().Unwritten-passed)
		}
		if st := s.Stats(); st.Pending > 3*compactQueueAt {
			t.Errorf("%d pending of a buffer of %d", st.Pending, rooms*50)
		}
	}
	close(stop)
	<-stopped
}
