package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/codec"
)

// TestSweep has a room that says little keep its messages between those of
// one that says much: these stay in the file until they are twice as many, go in several
// commits, and a power cut at any time leaves no hole in a room.
func TestSweep(t *testing.T) {
	t.Parallel()
	const history = 1000
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: history, AckDelay: time.Nanosecond, SyncInterval: time.Hour}
	s := open(t, cfg)
	text := strings.Repeat("x", 100)
	const live = 2 * history
	cuts, sweeps, most, before := 0, 0, 0, 0
	for i := range 4 * history { // the quiet room says 1 of 20
		for range 19 {
			say(t, s, "loud", text)
		}
		if i%10 > 0 {
			say(t, s, "quiet", fmt.Sprint(i))
			continue
		}
		sayFolded(t, s, "quiet", fmt.Sprint(i), "")
		if i < history {
			continue // until both rooms are full; what is older than the buffer goes at once
		}
		most = max(most, inFile(t, s))
		was := before
		if before = s.sweep; before == 0 { // the keeper is idle
			continue
		}
		if was == 0 {
			sweeps++
			// By bytes they are twice as many: those of the loud room are longer.
			if due := s.Stats().Removals + 1024; due < live {
				t.Errorf("a sweep of the %d messages that lie between %d", due, live)
			}
		}
		if cuts++; cuts > 4 {
			continue
		}
		// Once more than the buffer kept, so that all that was left shows.
		next := crash(t, s, Config{History: 100_000})
		p := readPage(t, next, "loud", codec.Query{})
		if !p.Recovered || len(p.Messages) < history || uint64(len(p.Messages)) != p.Head.Offset+1-p.Oldest.Offset {
			t.Errorf("in the midst of a sweep: %d messages from %s to %s", len(p.Messages), p.Oldest, p.Head)
		}
		want(t, "quiet", len(readPage(t, next, "quiet", codec.Query{}).Messages) >= history, true)
	}
	if sweeps < 3 || cuts < 2*sweeps-1 {
		t.Errorf("%d sweeps, with %d commits before their last: this tests nothing", sweeps, cuts)
	}
	// Live, twice as much dead, and what came while the sweep lasted.
	if most < 2*live || most > 4*live {
		t.Errorf("%d messages in the file at most; the buffer holds %d", most, live)
	}

	// What lies between others is left where it is when the store is closed, and
	// is no part of the buffer when it is opened.
	due := s.Stats().Removals
	closeStore(t, s)
	s = open(t, cfg)
	if n := inFile(t, s); n <= live {
		t.Errorf("%d messages in the file after a close: this tests nothing", n)
	}
	if n := s.Stats().Removals; n > due || n == 0 {
		t.Errorf("%d are due after it was opened again, %d before", n, due)
	}
	want(t, "loud", len(readPage(t, s, "loud", codec.Query{}).Messages), history)
	want(t, "quiet", len(readPage(t, s, "quiet", codec.Query{}).Messages), history)
}

// TestSweepFull reaches the quota with messages that wait for a sweep: they make room
// before the buffer has to.
func TestSweepFull(t *testing.T) {
	t.Parallel()
	cfg := Config{History: 500, HistoryBytes: 4 << 20, AckDelay: time.Nanosecond, SyncInterval: time.Hour, quota: 1 << 20}
	s := open(t, cfg)
	for range 500 { // 0.5 MiB are live, and 8 of 9 messages are dead
		for range 9 {
			say(t, s, "loud", strings.Repeat("x", 400))
		}
		sayFolded(t, s, "quiet", strings.Repeat("x", 400), "")
	}
	for i := range 1000 {
		want(t, "durable", sayStored(t, s, "loud", strings.Repeat("x", 400), "").Durable, true)
		if i%10 == 0 {
			foldNow(t, s)
		}
	}
	st := s.Stats()
	want(t, "squeezed", st.Squeezed, 0)
	want(t, "failures", st.FoldFailures > 0, true) // else this tests nothing
	want(t, "quiet", len(readPage(t, s, "quiet", codec.Query{}).Messages), 500)
	want(t, "loud", len(readPage(t, s, "loud", codec.Query{}).Messages), 500)
}

// TestBury: what is due is in order whatever the order in which it left.
func TestBury(t *testing.T) {
	var s Store
	for _, list := range [][]uint64{{5, 3, 9}, {}, {1}, {10, 12, 11}, {4, 8, 2, 7, 6}} {
		var left []removal
		for _, seq := range list {
			left = append(left, removal{seq: seq})
		}
		s.bury(left)
	}
	for i, r := range s.dead {
		if r.seq != uint64(i+1) {
			t.Fatalf("%v", s.dead)
		}
	}
	want(t, "buried", len(s.dead), 12)
}
