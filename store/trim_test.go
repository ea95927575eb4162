package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"edgechat/codec"
)

// inFile returns how many messages the file holds.
func inFile(t testing.TB, s *Store) (n int) {
	t.Helper()
	s.diskMu.RLock()
	defer s.diskMu.RUnlock()
	err := s.disk.view(func(tx *bolt.Tx) error {
		n = tx.Bucket(logBucket).Inspect().KeyN
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTrimByCount(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 10, AckDelay: time.Nanosecond}
	s := open(t, cfg)
	removals := false
	for i := range 3 * removeAfterCommits {
		sayStored(t, s, "den", fmt.Sprint(i), "")
		p := readPage(t, s, "den", codec.Query{})
		if len(p.Messages) != min(i+1, 10) || p.Messages[len(p.Messages)-1].Content != fmt.Sprint(i) {
			t.Fatalf("%d messages after %d", len(p.Messages), i+1)
		}
		n := inFile(t, s)
		if n > 10+removeAfterCommits {
			t.Fatalf("%d messages in the file after %d", n, i+1)
		}
		removals = removals || n < i+1 && n > 10 // in batches, not one by one
	}
	want(t, "removals in batches", removals, true)
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

// TestBurst says more in one go than the buffer holds: what leaves it before it is
// written is never written, and its sender is told once the rest is on disk.
func TestBurst(t *testing.T) {
	s := open(t, Config{History: 10, SyncInterval: time.Hour})
	say(t, s, "den", "old")
	sayStored(t, s, "hall", "x", "") // so that the next commit is not at once
	first := make(chan codec.Receipt, 1)
	if _, err := s.Append("den", codec.Message{}, "", func(r codec.Receipt) { first <- r }); err != nil {
		t.Fatal(err)
	}
	sayAll(t, s, "den", 20_000)
	want(t, "durable", (<-first).Durable, true)
	if st := s.Stats(); st.Written > 5000 || st.Unwritten < 15_000 {
		t.Errorf("%d written, %d left the buffer before", st.Written, st.Unwritten)
	}
	want(t, "messages", len(readPage(t, s, "den", codec.Query{}).Messages), 10)

	// What lies between the old message and the last ten was never on disk.
	sayStored(t, s, "hall", "x", "")
	next := crash(t, s, Config{History: 50})
	want(t, "messages", read(t, next, "den", codec.Query{Limit: 2}), "19990 19991")
	want(t, "head", next.Head("den").Offset, 20_002)
	cursor := codec.ID{Epoch: s.Stats().Epoch, Offset: 20_000}
	want(t, "after the last but two", read(t, next, "den", codec.Query{After: &cursor}), "19998 19999")
}

func TestTrimByBytes(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 1000, HistoryBytes: 64 << 10, AckDelay: time.Nanosecond}
	s := open(t, cfg)
	old := say(t, s, "quiet", "old")
	for i := range 300 {
		say(t, s, fmt.Sprint("room", i%3), strings.Repeat("x", 1000))
		if b := s.Stats().Bytes; b > 64<<10 {
			t.Fatalf("%d bytes in the buffer", b)
		}
	}
	if b := s.Stats().Bytes; b < 63<<10 {
		t.Errorf("%d bytes in the buffer: too much was dropped", b)
	}
	// The oldest of all went first: what is left is the newest of each room.
	for i := range 3 {
		p := readPage(t, s, fmt.Sprint("room", i), codec.Query{})
		want(t, "head", p.Head.Offset, 100)
		if n := len(p.Messages); n < 19 || n > 21 || p.Messages[n-1].ID.Offset != 100 {
			t.Errorf("room%d: %d messages", i, n)
		}
	}
	// A room without messages keeps its numbers, also over a restart.
	check := func() {
		t.Helper()
		want(t, "quiet room", read(t, s, "quiet", codec.Query{}), "")
		want(t, "its head", s.Head("quiet").Offset, old.Offset)
		want(t, "whoever saw it all", read(t, s, "quiet", codec.Query{After: &old}), "")
		want(t, "whoever did not", read(t, s, "quiet", codec.Query{After: &codec.ID{Epoch: old.Epoch}}), "!")
	}
	check()
	closeStore(t, s)
	s = open(t, cfg)
	check()
	next := crash(t, s, cfg)
	closeStore(t, s)
	s = next
	check()
	id := say(t, s, "quiet", "new")
	want(t, "next offset", id.Offset, old.Offset+1)
	want(t, "whoever saw it all", read(t, s, "quiet", codec.Query{After: &old}), "new")
}

// TestFloor has more empty rooms than are remembered: those that are forgotten never
// use a number again, and no cursor of theirs passes for complete.
func TestFloor(t *testing.T) {
	t.Parallel()
	for _, crashes := range []bool{false, true} {
		t.Run(fmt.Sprint("crash=", crashes), func(t *testing.T) { testFloor(t, crashes) })
	}
}

func testFloor(t *testing.T, crashes bool) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), HistoryBytes: 64 << 10, RememberedRooms: 10, AckDelay: time.Nanosecond}
	s := open(t, cfg)
	given := make(map[string]bool)
	say := func(room, content string) codec.ID {
		t.Helper()
		id := say(t, s, room, content)
		if given[room+id.String()] {
			t.Fatalf("%s: %s was given before", room, id)
		}
		given[room+id.String()] = true
		return id
	}
	lost := codec.ID{Epoch: s.Stats().Epoch, Offset: 1} // of room0, which saw more
	var last codec.ID
	for range 50 {
		last = say("room0", "x")
	}
	for i := range 30 {
		say(fmt.Sprint("room", i+1), "x")
	}
	fill := func() {
		for range 30 {
			say("big", strings.Repeat("x", 4000))
		}
		sayStored(t, s, "big", "x", "")
	}
	fill()
	st := s.Stats()
	if st.Rooms > 11 || st.Forgotten < 20 {
		t.Fatalf("%d rooms, %d forgotten", st.Rooms, st.Forgotten)
	}
	reopen := func() {
		if crashes {
			next := crash(t, s, cfg)
			closeStore(t, s)
			s, cfg.Path = next, next.cfg.Path
		} else {
			closeStore(t, s)
			s = open(t, cfg)
		}
	}
	for round := range 3 {
		head := s.Head("room0")
		if head.Offset < last.Offset {
			t.Fatalf("round %d: head of a forgotten room is %s, it was at %s", round, head, last)
		}
		want(t, "after a cursor in its midst", read(t, s, "room0", codec.Query{After: &lost}), "!")
		never := s.Head("never")
		want(t, "whoever asks now", read(t, s, "never", codec.Query{After: &never}), "")
		before := s.Head("room0")
		id := say("room0", "again")
		if id.Offset <= last.Offset {
			t.Fatalf("round %d: %s after %s", round, id, last)
		}
		want(t, "whoever asked then", read(t, s, "room0", codec.Query{After: &before}), "again")
		want(t, "a cursor from before", read(t, s, "room0", codec.Query{After: &lost}), "!again")
		last = id
		fill()
		for i := range 30 {
			say(fmt.Sprint("round", round, i), "x")
		}
		fill()
		reopen()
	}
	sayStored(t, s, "big", "x", "")
	if n := s.Stats().Rooms; n > 11 {
		t.Errorf("%d rooms", n)
	}
	closeStore(t, s)
	s = open(t, cfg)
	places := 0
	if err := s.disk.view(func(tx *bolt.Tx) error {
		places = tx.Bucket(roomsBucket).Inspect().KeyN
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if places > 11 {
		t.Errorf("%d places in the file", places)
	}
}

// TestEmptiedUnwritten empties a room whose messages never were on disk: its
// numbers are remembered all the same.
func TestEmptiedUnwritten(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), HistoryBytes: 64 << 10, SyncInterval: time.Hour, CommitBytes: 1 << 20}
	s := open(t, cfg)
	id := say(t, s, "den", "x")
	for range 30 {
		say(t, s, "big", strings.Repeat("x", 4000))
	}
	want(t, "pending", s.Stats().Written, 0)
	want(t, "left the buffer", read(t, s, "den", codec.Query{}), "")
	closeStore(t, s)
	s = open(t, cfg)
	next := say(t, s, "den", "y")
	want(t, "epoch", next.Epoch, id.Epoch)
	want(t, "offset", next.Offset, id.Offset+1)
}

// TestTrimmedWhileWritten lets messages leave the buffer while they are being
// written: they do not stay in the file.
func TestTrimmedWhileWritten(t *testing.T) {
	var g gate
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 5, AckDelay: time.Nanosecond, SyncInterval: time.Millisecond, aroundCommit: g.around}
	s := open(t, cfg)
	g.close()
	sayAll(t, s, "den", 5)
	<-g.started
	sayAll(t, s, "den", 3)
	g.release()
	sayStored(t, s, "hall", "x", "")
	want(t, "due for removal", s.Stats().Removals, 3)
	closeStore(t, s)
	s = open(t, cfg)
	want(t, "in the file", inFile(t, s), 6)
	want(t, "messages", read(t, s, "den", codec.Query{}), "3 4 0 1 2")
}

// TestChunks has more pending than one commit takes: no receipt comes before its message
// is written.
func TestChunks(t *testing.T) {
	var g gate
	s := open(t, Config{History: 1000, CommitBytes: 4 << 10, AckDelay: time.Nanosecond, aroundCommit: g.around})
	g.close()
	say(t, s, "den", strings.Repeat("x", 5000)) // is being written
	<-g.started
	sayAll(t, s, "den", 300) // of 70 bytes
	before := s.Stats().Commits
	done := make(chan uint64, 1)
	if _, err := s.Append("den", codec.Message{}, "", func(codec.Receipt) { done <- s.Stats().Written }); err != nil {
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

// TestTrimmedBeforeRetry lets messages leave the buffer between two attempts to
// write them: the file is not cleaned of what it never held.
func TestTrimmedBeforeRetry(t *testing.T) {
	var full atomic.Bool
	held, release := make(chan struct{}), make(chan struct{})
	s := open(t, Config{History: 5, AckDelay: time.Nanosecond, aroundCommit: func(commit func() error) error {
		if full.CompareAndSwap(true, false) {
			held <- struct{}{}
			<-release
			return berrors.ErrMaxSizeReached
		}
		return commit()
	}})
	sayAll(t, s, "den", 5)
	full.Store(true)
	if _, err := s.Append("hall", codec.Message{}, "", func(codec.Receipt) {}); err != nil {
		t.Fatal(err)
	}
	<-held
	sayAll(t, s, "den", 3)
	close(release)
	sayStored(t, s, "hall", "x", "")
	closeStore(t, s) // and is checked
}

// TestPlaceBetweenChunks cuts power between two commits of which the first removed
// the last stored messages of a room, and the second was to store the next ones.
func TestPlaceBetweenChunks(t *testing.T) {
	var g gate
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 5, CommitBytes: 4 << 10, AckDelay: time.Nanosecond, aroundCommit: g.around}
	s := open(t, cfg)
	sayAll(t, s, "den", 10)
	sayStored(t, s, "hall", "x", "")
	s.sinceRemoved = removeAfterCommits // the committer is idle
	sayAll(t, s, "den", 5)
	sayStored(t, s, "hall", "x", "") // the place is in the file now, head 10
	want(t, "removals", s.Stats().Removals, 0)
	cursor := s.Head("den")

	g.close()
	say(t, s, "hall", strings.Repeat("x", 5000))
	<-g.started
	s.sinceRemoved = removeAfterCommits // the committer is held
	for range 5 {
		say(t, s, "hall", strings.Repeat("x", 4000)) // as much as a commit takes
	}
	sayAll(t, s, "den", 5)
	for range 2 {
		g.hold <- struct{}{}
		<-g.started
	}
	next := crash(t, s, Config{History: 5})
	g.release()
	want(t, "messages of the room in the file", read(t, next, "den", codec.Query{}), "")
	want(t, "head", next.Head("den").Offset, cursor.Offset)
	want(t, "after the head of before", read(t, next, "den", codec.Query{After: &cursor}), "")
	cursor.Offset--
	want(t, "after the one before", read(t, next, "den", codec.Query{After: &cursor}), "!")
}

// TestForgottenLost forgets a room that had lost numbers in a crash: a cursor
// of them, above all that was ever stored, proves nothing.
func TestForgottenLost(t *testing.T) {
	cfg := Config{HistoryBytes: 64 << 10, RememberedRooms: 1, SyncInterval: time.Hour, AckDelay: time.Nanosecond}
	s := open(t, cfg)
	sayStored(t, s, "den", "1", "")
	next := crash(t, s, cfg)
	lost := sayAll(t, s, "den", 100)[99]
	closeStore(t, s)
	want(t, "after a number that was lost", read(t, next, "den", codec.Query{After: &lost}), "")
	say(t, next, "den", "2") // which the holder of the cursor has not seen
	want(t, "after a number that was lost", read(t, next, "den", codec.Query{After: &lost}), "2")
	say(t, next, "hall", "x")
	for range 30 {
		say(t, next, "big", strings.Repeat("x", 4000))
	}
	want(t, "forgotten", next.Stats().Forgotten, 1)
	want(t, "after it was forgotten", read(t, next, "den", codec.Query{After: &lost}), "!")
	say(t, next, "den", "3")
	want(t, "after it is back", read(t, next, "den", codec.Query{After: &lost}), "!3")
}

// TestEmptyAgain: a room that is not empty any more takes no place of those that
// are remembered.
func TestEmptyAgain(t *testing.T) {
	s := open(t, Config{HistoryBytes: 64 << 10, RememberedRooms: 3})
	fill := func(until string) {
		t.Helper()
		for len(readPage(t, s, until, codec.Query{}).Messages) > 0 {
			say(t, s, "big", strings.Repeat("x", 1000))
		}
	}
	say(t, s, "first", "x")
	say(t, s, "again", "x")
	fill("again")
	say(t, s, "third", "x")
	say(t, s, "fourth", "x")
	say(t, s, "big", strings.Repeat("x", 5000))
	say(t, s, "again", "x")
	fill("fourth") // and "third" with it
	want(t, "again", read(t, s, "again", codec.Query{}), "x")
	want(t, "forgotten", s.Stats().Forgotten, 0)
	fill("again")
	want(t, "forgotten", s.Stats().Forgotten, 1)
}

// TestForgottenMeanwhile forgets a room between the moment when somebody looks it up and
// the moment when he has it.
func TestForgottenMeanwhile(t *testing.T) {
	s := open(t, Config{})
	id := say(t, s, "den", "x")
	r := s.rooms["den"]
	r.mu.Lock()
	done := make(chan codec.ID)
	go func() { done <- say(t, s, "den", "y") }()
	time.Sleep(10 * time.Millisecond) // until it waits for the lock
	s.roomsMu.Lock()
	r.gone = true
	delete(s.rooms, "den")
	s.floor = id.Offset + 10
	s.roomsMu.Unlock()
	r.mu.Unlock()
	want(t, "offset", (<-done).Offset, id.Offset+11)
	want(t, "messages", read(t, s, "den", codec.Query{}), "y")
}
