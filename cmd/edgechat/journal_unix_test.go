//go:build unix

package main

import (
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Text has no time under journald, and only if the output really goes there.
func TestJournal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	sys := st.Sys().(*syscall.Stat_t)
	here := strconv.FormatUint(uint64(sys.Dev), 10) + ":" + strconv.FormatUint(sys.Ino, 10)
	for _, test := range []struct {
		stream, format string
		time           bool
	}{
		{here, "text", false}, {here, "json", true}, {"", "text", true}, {"1:2", "text", true},
	} {
		if err := f.Truncate(0); err != nil {
			t.Fatal(err)
		}
		newLogger(f, test.format, 0, func(string) string { return test.stream }).Info("x")
		raw, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(raw), "time"); got != test.time {
			t.Errorf("JOURNAL_STREAM=%q, %s: log %q", test.stream, test.format, raw)
		}
	}
	if isJournal(io.Discard, here) {
		t.Error("what is no file is taken for the journal")
	}
}
