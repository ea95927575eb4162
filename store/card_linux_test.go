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

// A budget is how many bytes a message of 200 may cost on the device, by messages a commit.
type budget map[int]float64

// What is displaced before its checkpoint costs the log alone; what is not goes to the history, too.
var (
	displacedBudget = budget{1: 4500, 10: 700, 100: 300}
	keptBudget      = budget{1: 4500, 10: 700, 100: 500}
	// A sweep writes pages of the history anew that still hold messages of quiet rooms.
	sweptBudget = budget{1: 4900, 10: 700, 100: 500}
)

// TestCard counts what reaches the device, below the file system: what the process
// writes says little, since the journal and whole pages come on top. It counts from one checkpoint to
// another, which are a part of it. docs/performance.md has
// the table that it prints with -v.
func TestCard(t *testing.T) {
	if edgetest.Race {
		t.Skip("the race detector makes checkpoints so slow that they overlap, and no race is looked for here")
	}
	t.Parallel()
	uniform := func(rooms int) func() string {
		return func() string { return fmt.Sprint("room", rand.IntN(rooms)) }
	}
	// Few talk most of the time, and many seldom; a tenth of the messages is in half of the rooms.
	zipf := rand.NewZipf(rand.New(rand.NewPCG(1, 2)), 1.2, 1, 49)
	for _, load := range []struct {
		name   string
		room   func() string
		first  int // messages before any of it is measured
		budget budget
		sector int
	}{
		{"an empty file", uniform(10), 0, nil, 512},
		{"10 rooms", uniform(10), 4_000, displacedBudget, 512},
		{"10 rooms, sectors of 4096", uniform(10), 4_000, displacedBudget, 4096},
		// Long enough for whole sweeps of what lies between the messages of quiet rooms.
		{"50 rooms, most of them quiet", func() string { return fmt.Sprint("room", zipf.Uint64()) }, 80_000, sweptBudget, 512},
		{"2000 rooms, nothing is displaced", uniform(2_000), 20_000, keptBudget, 512},
		{"2000 rooms, HistoryBytes reached", uniform(2_000), 320_000, keptBudget, 512},
	} {
		t.Run(load.name, func(t *testing.T) {
			t.Parallel()
			card := faultydisk.NewSectors(t, 256<<20, load.sector)
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
					if err := s.Append(load.room(), chatMessage, "", codec.Done{Tell: f}); err != nil {
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
			// checkpoint commits until the next one was made.
			checkpoint := func(n int) (commits int) {
				for folds := s.Stats().Folds; s.Stats().Folds == folds; commits++ {
					commit(n)
				}
				// It may take several transactions.
				for folds := uint64(0); s.Stats().Folds != folds; time.Sleep(300 * time.Millisecond) {
					folds = s.Stats().Folds
				}
				card.Settle()
				return commits
			}
			if load.first > 0 {
				for range 2 { // both halves of the log are filled with zeros when they are first used
					checkpoint(100)
				}
			}
			for _, n := range []int{1, 10, 100} {
				if load.first > 0 {
					checkpoint(n)
				}
				rounds, least := 0, 2 // checkpoints
				if n == 1 {
					least = 1
				}
				before, was := card.Stats(), s.Stats()
				for range least {
					rounds += checkpoint(n)
				}
				w, st := card.Stats().Sub(before), s.Stats()
				if got := st.Commits - was.Commits; got != uint64(rounds) {
					t.Fatalf("%d commits were measured, not %d", got, rounds)
				}
				each, flushes := float64(w.Written)/float64(rounds*n), float64(w.Flushes)/float64(rounds)
				t.Logf("%3d a commit: %6.0f bytes a message, %6.0f a commit; %.2f flushes, %4.1f writes; %d of %d messages went to the history",
					n, each, each*float64(n), flushes, float64(w.Writes)/float64(rounds), st.Folded-was.Folded, rounds*n)
				if load.budget == nil {
					continue
				}
				if most := load.budget[n]; each > most {
					t.Errorf("%d a commit: %.0f bytes a message, want no more than %.0f", n, each, most)
				}
				// One for the commit; the few of checkpoints and of the file system's journal count more where a
				// checkpoint comes after some dozens of commits.
				if most := 1.05 + 0.2*float64(n)/100; flushes < 1 || flushes > most {
					t.Errorf("%d a commit: %.2f flushes, want one", n, flushes)
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
		if err := s.Append("den", chatMessage, "", codec.Done{}); err != nil {
			t.Fatal(err)
		}
	}
	sayStored(t, s, "den", "x", "")
	card.Settle()
	before, was := card.Stats(), s.Stats()
	const seconds = 6 // ext4 commits its journal every 5 s
	began := time.Now()
	for range 10 * seconds {
		if err := s.Append("den", chatMessage, "", codec.Done{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(2 * s.cfg.SyncInterval)
	w, st := card.Stats().Sub(before), s.Stats()
	want(t, "pending", st.Pending, 0)
	each := float64(w.Written) / (10 * seconds)
	took, commits := time.Since(began), st.Commits-was.Commits
	t.Logf("%d messages in %v, %d commits: %.0f bytes a message", 10*seconds, took, commits, each)
	// A commit a second, of which a busy machine has more for as many messages. None of it goes to the history meanwhile.
	if most := uint64(took/s.cfg.SyncInterval) + 1; commits > most {
		t.Errorf("%d commits in %v", commits, took)
	}
	if most := displacedBudget[10] * max(1, float64(commits)/(seconds+1)); each > most {
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
