package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/codec"
)

// behind makes a store with the message "1" in the history of the room den, behind one of the room hall: it is not
// removed from there while that is in the buffer.
func behind(t *testing.T, history int) *Store {
	s := open(t, Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: history})
	sayFolded(t, s, "hall", "old", "")
	sayFolded(t, s, "den", "1", "")
	return s
}

// TestPassedOverStaysAway: a message that left the buffer and is still in the history does not come back where a newer one was
// never written, with a hole behind it.
func TestPassedOverStaysAway(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		s := behind(t, 2)
		say(t, s, "den", "2")
		say(t, s, "den", "3")
		sayStored(t, s, "den", "4", "")
		want(t, "not written", s.Stats().Unwritten, 1)
		if crashed {
			s = crash(t, s, Config{History: 10})
			foldNow(t, s)
		}
		closeStore(t, s)
		s = open(t, Config{Path: s.cfg.Path, History: 10})
		want(t, "there", read(t, s, "den", codec.Query{}), "3 4")
		want(t, "whole", readPage(t, s, "den", codec.Query{}).Recovered, true)
	}
}

// TestPassedOverIsTold: the log tells that one was passed over, also where a checkpoint had the later ones before that could be told;
// then power is cut before the next checkpoint.
func TestPassedOverIsTold(t *testing.T) {
	var g gate
	s := open(t, Config{History: 2, CommitBytes: 4 << 10, LogBytes: 1 << 20, AckDelay: time.Nanosecond, aroundCommit: g.around})
	sayFolded(t, s, "hall", "old", "")
	sayFolded(t, s, "den", "1", "")
	g.close(t)
	say(t, s, "hall", "x") // is being written
	<-g.started
	say(t, s, "den", "2")
	say(t, s, "den", "3")
	for i := range 30 { // more than one commit takes
		say(t, s, fmt.Sprint("other", i), strings.Repeat("x", 1000))
	}
	say(t, s, "den", "4") // which displaces 2
	g.hold <- struct{}{}
	<-g.started // a commit with 3, after 2 was passed over
	g.hold <- struct{}{}
	<-g.started // the one with 4
	foldNow(t, s)
	want(t, "not written", s.Stats().Unwritten, 1)
	g.release()
	eventually(t, "all is written", func() bool { return s.pending() == 0 })
	want(t, "durable", sayStored(t, s, "hall", "y", "").Durable, true)
	next := crash(t, s, Config{History: 10})
	want(t, "there", read(t, next, "den", codec.Query{}), "3 4")
	want(t, "whole", readPage(t, next, "den", codec.Query{}).Recovered, true)
}

// TestClosedTellsAll: a store that is closed in order has told all rooms of which messages were passed over, also where one batch
// does not hold them all. Else their numbers are given again.
func TestClosedTellsAll(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), HistoryBytes: 4 << 20, LogBytes: 128 << 10, SyncInterval: time.Hour, CommitBytes: 8 << 20}
	s := open(t, cfg)
	name := func(i int) string { return fmt.Sprint(strings.Repeat("r", 900), i) }
	given := map[string]bool{}
	for i := range 100 {
		given[name(i)+say(t, s, name(i), "x").String()] = true
	}
	s.trimTo(0)
	closeStore(t, s)
	s = open(t, cfg)
	want(t, "found", s.found, StartInOrder)
	twice := 0
	for i := range 100 {
		if given[name(i)+say(t, s, name(i), "y").String()] {
			twice++
		}
	}
	want(t, "numbers given twice", twice, 0)
}
