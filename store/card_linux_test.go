package store

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/internal/edgetest"
	"edgechat/internal/faultydisk"
)

// What a commit of so many messages of 200 bytes may write to the device for each, once
// the buffer is full. A commit of one has no budget: it is what an ack costs
// when nobody else talks.
var cardBudget = map[int]float64{10: 2600, 100: 700}

// TestCard counts what reaches the device, below the file system: what the process
// writes says little, since the journal and whole pages come on top. docs/performance.md has
// the table that it prints with -v.
func TestCard(t *testing.T) {
	t.Parallel()
	uniform := func(rooms int) func() string {
		return func() string { return fmt.Sprint("room", rand.IntN(rooms)) }
	}
	// Few talk most of the time, and many seldom; a tenth of the messages is in half of the rooms.
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.2, 1, 49)
	for _, load := range []struct {
		name   string
		room   func() string
		first  int         // messages before any of it is measured
		rounds map[int]int // commits that are measured, by messages a commit
	}{
		{"an empty file", uniform(10), 0, map[int]int{1: 200, 10: 200, 100: 50}},
		{"10 rooms", uniform(10), 4_000, map[int]int{1: 200, 10: 400, 100: 400}},
		// Long enough for whole sweeps of what lies between the messages of quiet rooms.
		{"50 rooms, most of them quiet", func() string { return fmt.Sprint("room", zipf.Uint64()) }, 80_000, map[int]int{1: 200, 10: 2_400, 100: 480}},
		{"2000 rooms, HistoryBytes reached", uniform(2_000), 320_000, map[int]int{1: 200, 10: 400, 100: 400}},
	} {
		t.Run(load.name, func(t *testing.T) {
			t.Parallel()
			card := faultydisk.New(t, 256<<20)
			historyBytes := int64(0)
			if edgetest.Race && load.first > 300_000 { // it makes filling 64 MiB slow
				historyBytes, load.first = 8<<20, load.first/8
			}
			s := open(t, Config{
				Path: filepath.Join(card.Dir, "edgechat.db"), HistoryBytes: historyBytes,
				// Commits are made by whoever waits, without a pause; what they write is the same.
				SyncInterval: time.Hour, AckDelay: time.Nanosecond,
			})
			done := make(chan codec.Receipt, 1)
			told := func(r codec.Receipt) { done <- r }
			commit := func(n int) {
				for i := range n {
					f := told
					if i < n-1 {
						f = nil
					}
					if _, err := s.Append(load.room(), chatMessage, "", f); err != nil {
						t.Fatal(err)
					}
				}
				if r := <-done; !r.Durable {
					t.Fatalf("a commit failed: %v", s.Ready())
				}
			}
			for range load.first / 1000 {
				commit(1000)
			}
			steady := load.first > 0
			for _, n := range []int{1, 10, 100} {
				if steady { // of this size of commits, too
					for range 120 {
						commit(n)
					}
				}
				card.Settle()
				rounds := load.rounds[n]
				before, was := card.Stats(), s.Stats()
				for range rounds {
					commit(n)
				}
				w, st := card.Stats().Sub(before), s.Stats()
				if got := st.Commits - was.Commits; got != uint64(rounds) {
					t.Fatalf("%d commits were measured, not %d", got, rounds)
				}
				each, flushes := float64(w.Written)/float64(rounds*n), float64(w.Flushes)/float64(rounds)
				t.Logf("%3d a commit: %6.0f bytes a message, %6.0f a commit; %.2f flushes, %4.1f writes", n, each, each*float64(n), flushes, float64(w.Writes)/float64(rounds))
				if !steady {
					continue
				}
				if n > 1 && st.Removed == was.Removed {
					t.Errorf("%d a commit: nothing was removed: the steady state is not reached", n)
				}
				if most := cardBudget[n]; most > 0 && each > most {
					t.Errorf("%d a commit: %.0f bytes a message, want no more than %.0f", n, each, most)
				}
				// The journal of the file system adds some: when the file grows.
				if flushes > 2.1 || flushes < 2 {
					t.Errorf("%d a commit: %.2f flushes, want 2", n, flushes)
				}
			}
		})
	}
}

// chatMessage takes 200 bytes in the file, or a few more.
var chatMessage = codec.Message{Username: "alice", Content: strings.Repeat("x", 150), Time: 1}

// TestCardSilence talks for a while at ten messages a second, with all options as they are
// shipped, and then says nothing. Whoever reads writes nothing either.
func TestCardSilence(t *testing.T) {
	t.Parallel()
	card := faultydisk.New(t, 64<<20)
	s := open(t, Config{Path: filepath.Join(card.Dir, "edgechat.db")})
	for range 400 {
		if _, err := s.Append("den", chatMessage, "", nil); err != nil {
			t.Fatal(err)
		}
	}
	sayStored(t, s, "den", "x", "")
	card.Settle()
	before, was := card.Stats(), s.Stats()
	const seconds = 6 // ext4 commits its journal every 5 s
	for range 10 * seconds {
		if _, err := s.Append("den", chatMessage, "", nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(2 * s.cfg.SyncInterval)
	w, st := card.Stats().Sub(before), s.Stats()
	want(t, "pending", st.Pending, 0)
	each := float64(w.Written) / (10 * seconds)
	t.Logf("%d messages in %d s, %d commits: %.0f bytes a message", 10*seconds, seconds, st.Commits-was.Commits, each)
	// The file grows meanwhile, which the file system's journal notes in blocks of 4 KiB.
	if most := 1.4 * cardBudget[10]; each > most {
		t.Errorf("%.0f bytes a message, want no more than %.0f", each, most)
	}

	card.Settle() // the file's time, for which ext4 takes its own
	before, was = card.Stats(), s.Stats()
	for range 100 {
		readPage(t, s, "den", codec.Query{})
		time.Sleep(100 * time.Millisecond)
	}
	want(t, "commits", s.Stats().Commits, was.Commits)
	if w := card.Stats().Sub(before); w.Writes != 0 {
		t.Errorf("10 s of silence: %+v", w)
	}
}
