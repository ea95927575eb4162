package store

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/internal/edgetest"
)

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
	// They are charged 16 MB. The file of more maps a piece of the address space that 32 bits may not have left beside other tests.
	s := open(t, Config{Rooms: 100_000, SyncInterval: time.Hour, HistoryBytes: 32 << 20})
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
