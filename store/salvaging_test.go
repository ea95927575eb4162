package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/codec"
)

// blank overwrites the pages of the history that have this.
func blank(t *testing.T, s *Store, text string) {
	t.Helper()
	inPlace(t, s, func(f *os.File, b []byte) {
		for page := range len(b) / pageSize {
			if bytes.Contains(b[page*pageSize:][:pageSize], []byte(text)) {
				if _, err := f.WriteAt(make([]byte, pageSize), int64(page)*pageSize); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestSalvageFails: a salvage does not come to its end, since the disk is full. The log is this store's for all that when power is
// cut.
func TestSalvageFails(t *testing.T) {
	s := open(t, Config{})
	say(t, s, "den", "needle")
	for i := range 200 {
		say(t, s, fmt.Sprint("room", i%20), strings.Repeat("x", 4000))
	}
	sayFolded(t, s, "hall", "x", "")
	s = crash(t, s, Config{}) // a copy, which nobody has open once it is closed
	closeStore(t, s)
	path := s.cfg.Path
	blank(t, s, "needle")
	s, err := Open(Config{Path: path, quota: 64 << 10, identify: func(*os.File) string { return "the same" }}) // there is no room for another file
	if err != nil {
		t.Fatal(err)
	}
	want(t, "found", s.found, StartDamage)
	want(t, "durable", sayStored(t, s, "hall", "acknowledged", "").Durable, true)
	want(t, "hall", read(t, s, "hall", codec.Query{Limit: 1, Newest: true}), "acknowledged")
	next := crash(t, s, Config{})
	want(t, "after a power cut", read(t, next, "hall", codec.Query{Limit: 1, Newest: true}), "acknowledged")
	aside, _ := filepath.Glob(next.logPath() + ".corrupt-*")
	want(t, "logs put aside", len(aside), 0)
	_ = s.Close()
	open(t, Config{Path: path}) // which mends the file
}

// TestSalvageCut: power is cut while a salvage is under way, during which messages are acknowledged.
func TestSalvageCut(t *testing.T) {
	var in atomic.Bool
	held, release := make(chan struct{}), make(chan struct{})
	cfg := Config{RetryDelay: 10 * time.Millisecond, AckDelay: time.Nanosecond}
	cfg.identify = func(f *os.File) string {
		if strings.HasSuffix(f.Name(), ".new") && in.CompareAndSwap(true, false) {
			close(held)
			<-release
		}
		return "the same"
	}
	s := open(t, cfg)
	say(t, s, "den", "needle")
	for i := range 200 {
		say(t, s, fmt.Sprint("room", i%20), strings.Repeat("x", 1000))
	}
	sayFolded(t, s, "hall", "x", "")
	blank(t, s, "needle")
	in.Store(true)
	read(t, s, "den", codec.Query{})
	<-held
	want(t, "durable", sayStored(t, s, "hall", "acknowledged", "").Durable, true)
	next := crash(t, s, Config{})
	close(release)
	want(t, "after a power cut", read(t, next, "hall", codec.Query{Limit: 1, Newest: true}), "acknowledged")
}

// TestLogsPutAside: of logs that are another store's the newest two are kept.
func TestLogsPutAside(t *testing.T) {
	s, other := open(t, Config{}), open(t, Config{})
	sayStored(t, s, "den", "x", "")
	sayStored(t, other, "den", "x", "")
	closeStore(t, s)
	closeStore(t, other)
	for year := range 4 {
		if err := os.WriteFile(fmt.Sprintf("%s.corrupt-200%d0101T000000.000000", s.logPath(), year), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	copyFile(t, other.logPath(), s.logPath())
	open(t, Config{Path: s.cfg.Path})
	aside, _ := filepath.Glob(s.logPath() + ".corrupt-*")
	if len(aside) != 2 || !strings.Contains(aside[0], "corrupt-2003") {
		t.Errorf("%q", aside)
	}
}

// TestHistoryEmptied: the history is cut to nothing while the store is open. The new one has the places of all rooms.
func TestHistoryEmptied(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), RetryDelay: 10 * time.Millisecond, AckDelay: time.Nanosecond}
	s := open(t, cfg)
	id := say(t, s, "den", "x")
	for i := range 200 {
		say(t, s, fmt.Sprint("room", i%20), strings.Repeat("x", 1000))
	}
	sayFolded(t, s, "hall", "x", "")
	inPlace(t, s, func(f *os.File, _ []byte) {
		if err := f.Truncate(0); err != nil {
			t.Fatal(err)
		}
	})
	read(t, s, "den", codec.Query{})
	eventually(t, "it is looked at anew", func() bool { return s.Stats().Reopens > 0 && s.Stats().Lost > 0 })
	sayFolded(t, s, "hall", "y", "")
	want(t, "head", s.Head("den"), id)
	closeStore(t, s)
	s = open(t, cfg)
	want(t, "found", s.found, StartInOrder)
	want(t, "head", s.Head("den"), id)
	if again := say(t, s, "den", "z"); again == id {
		t.Errorf("%s was given twice", id)
	}
}
