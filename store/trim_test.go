package store

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	berrors "go.etcd.io/bbolt/errors"

	"edgechat/codec"
	"edgechat/internal/edgetest"
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

// TestTrimByBytes fills the buffer: it never holds more than it may, and not much less.
func TestTrimByBytes(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 1000, HistoryBytes: 64 << 10, AckDelay: time.Nanosecond}
	s := open(t, cfg)
	for i := range 300 {
		say(t, s, fmt.Sprint("room", i%3), strings.Repeat("x", 1000))
		if b := s.Stats().Bytes; b > 64<<10 {
			t.Fatalf("%d bytes in the buffer", b)
		}
	}
	if b := s.Stats().Bytes; b < 62<<10 {
		t.Errorf("%d bytes in the buffer: too much was dropped", b)
	}
	// What is left is the newest of each room, and all have about as much.
	for i := range 3 {
		p := readPage(t, s, fmt.Sprint("room", i), codec.Query{})
		want(t, "head", p.Head.Offset, 100)
		if n := len(p.Messages); n < 16 || n > 22 || p.Messages[n-1].ID.Offset != 100 {
			t.Errorf("room%d: %d messages", i, n)
		}
	}
}

// TestShare has one room say far more than the buffer holds: it takes nothing from those that say
// little, neither in bytes nor in age.
func TestShare(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 100_000, HistoryBytes: 4 << 20}
	s := open(t, cfg)
	const quiet = 1000
	for i := range quiet {
		for j := range 3 {
			say(t, s, fmt.Sprint("quiet", i), fmt.Sprint(j))
		}
	}
	for range 20_000 {
		say(t, s, "busy", strings.Repeat("x", 1000))
	}
	check := func() {
		t.Helper()
		for i := range quiet {
			if got := read(t, s, fmt.Sprint("quiet", i), codec.Query{}); got != "0 1 2" {
				t.Fatalf("quiet%d: %q", i, got)
			}
		}
		if n := len(readPage(t, s, "busy", codec.Query{}).Messages); n < 2000 {
			t.Errorf("busy: %d messages", n)
		}
	}
	check()
	// A second one that is busy comes out equal to the first.
	for range 20_000 {
		say(t, s, "other", strings.Repeat("x", 1000))
	}
	a, b := len(readPage(t, s, "busy", codec.Query{}).Messages), len(readPage(t, s, "other", codec.Query{}).Messages)
	if a*4 < b*3 || b*4 < a*3 {
		t.Errorf("two busy rooms: %d and %d messages", a, b)
	}
	closeStore(t, s)
	s = open(t, cfg)
	for i := range quiet {
		want(t, "quiet after a restart", read(t, s, fmt.Sprint("quiet", i), codec.Query{}), "0 1 2")
	}
}

// TestRooms makes more rooms than are kept: those that have been silent longest go, with what they have.
func TestRooms(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), Rooms: 10}
	s := open(t, cfg)
	for i := range 10 {
		say(t, s, fmt.Sprint("room", i), "x")
	}
	first := s.Head("room0")
	say(t, s, "room1", "y") // so that room0 and room2 to room5 are those
	foldNow(t, s)
	for i := range 5 {
		say(t, s, fmt.Sprint("new", i), "x")
		want(t, "rooms", s.Stats().Rooms, 10)
	}
	check := func() {
		t.Helper()
		for i := range 10 {
			want(t, fmt.Sprint("room", i), read(t, s, fmt.Sprint("room", i), codec.Query{}),
				map[bool]string{true: "", false: "x"}[i == 0 || i >= 2 && i <= 5]+map[bool]string{true: " y"}[i == 1])
		}
		want(t, "new", read(t, s, "new4", codec.Query{}), "x")
		want(t, "a cursor of one that is gone", readPage(t, s, "room0", codec.Query{After: &first}).Recovered, true)
		first.Offset = 0
		want(t, "one that has not seen all of it", readPage(t, s, "room0", codec.Query{After: &first}).Recovered, false)
		first.Offset = 1
	}
	check()
	closeStore(t, s)
	s = open(t, cfg)
	check()
	want(t, "places", len(scanned(t, s).places) <= 10, true)
}

// TestRoomCost measures what a room takes: what it is charged is no less, and not much more.
func TestRoomCost(t *testing.T) {
	if edgetest.Race {
		t.Skip("the race detector takes memory of its own")
	}
	s := open(t, Config{Rooms: 100_000, SyncInterval: time.Hour, HistoryBytes: 128 << 20})
	const rooms = 20_000
	names := make([]string, rooms)
	for i := range names {
		names[i] = fmt.Sprint("room", i)
	}
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, was := heap(), s.Stats().Bytes
	for _, name := range names {
		say(t, s, name, "x")
	}
	foldNow(t, s)
	took, charged := (heap()-before)/rooms, (s.Stats().Bytes-was)/rooms
	t.Logf("a room of one message takes %d bytes of memory and is charged %d", took, charged)
	if charged < took || charged > 2*took && strconv.IntSize == 64 { // half of it is pointers
		t.Errorf("a room of one message takes %d bytes of memory and is charged %d", took, charged)
	}
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
		say("big", "x")
		s.trimTo(0)
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
	if places := len(scanned(t, s).places); places > 11 {
		t.Errorf("%d places in the file", places)
	}
}

// TestEmptiedUnwritten empties a room whose messages never were in the history: its
// numbers are remembered all the same.
func TestEmptiedUnwritten(t *testing.T) {
	for _, logged := range []bool{false, true} {
		cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), HistoryBytes: 64 << 10, SyncInterval: time.Hour, CommitBytes: 1 << 20}
		s := open(t, cfg)
		id := say(t, s, "den", "x")
		if logged {
			sayStored(t, s, "hall", "x", "")
		}
		s.trimTo(0)
		want(t, "left the buffer", read(t, s, "den", codec.Query{}), "")
		closeStore(t, s)
		s = open(t, cfg)
		next := say(t, s, "den", "y")
		want(t, "epoch", next.Epoch, id.Epoch)
		want(t, "offset", next.Offset, id.Offset+1)
	}
}

// TestTrimmedWhileWritten lets messages leave the buffer while a checkpoint puts them into the
// history: they do not stay there.
func TestTrimmedWhileWritten(t *testing.T) {
	var g gate
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 5, AckDelay: time.Nanosecond, SyncInterval: time.Hour, aroundFold: g.around}
	s := open(t, cfg)
	sayAll(t, s, "den", 4)
	sayStored(t, s, "den", "4", "")
	g.close()
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
	next.trimTo(0)
	want(t, "forgotten", next.Stats().Forgotten, 1)
	want(t, "after it was forgotten", read(t, next, "den", codec.Query{After: &lost}), "!")
	say(t, next, "den", "3")
	want(t, "after it is back", read(t, next, "den", codec.Query{After: &lost}), "!3")
}

// TestEmptyAgain: a room that is not empty any more takes no place of those that
// are remembered.
func TestEmptyAgain(t *testing.T) {
	s := open(t, Config{HistoryBytes: 64 << 10, RememberedRooms: 3})
	say(t, s, "first", "x")
	say(t, s, "again", "x")
	s.trimTo(0)
	say(t, s, "third", "x")
	say(t, s, "fourth", "x")
	s.trimTo(0)
	want(t, "forgotten", s.Stats().Forgotten, 1)
	say(t, s, "again", "x")
	say(t, s, "fifth", "x")
	want(t, "again", read(t, s, "again", codec.Query{}), "x")
	s.trimTo(0)
	want(t, "forgotten", s.Stats().Forgotten, 2)
	if r := s.rooms["third"]; r != nil && s.rooms["again"] == nil {
		t.Error("the room that was not empty went before the one that was empty for longer")
	}
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
	r.gone.Store(true)
	delete(s.rooms, "den")
	s.floor = id.Offset + 10
	s.roomsMu.Unlock()
	r.mu.Unlock()
	want(t, "offset", (<-done).Offset, id.Offset+11)
	want(t, "messages", read(t, s, "den", codec.Query{}), "y")
}
