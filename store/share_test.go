package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/codec"
)

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
