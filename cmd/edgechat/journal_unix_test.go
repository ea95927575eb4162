//go:build unix

package main

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
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
		newLogger(f, test.format, slog.LevelInfo, isJournal(f, test.stream)).Info("x")
		raw, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(raw), "time"); got != test.time {
			t.Errorf("JOURNAL_STREAM=%q, %s: log %q", test.stream, test.format, raw)
		}
	}
	// Each level has its priority, whatever was added to the logger; the journal
	// is told why a command failed, too.
	if err := f.Truncate(0); err != nil {
		t.Fatal(err)
	}
	getenv := func(string) string { return here }
	log := newLogger(f, "text", slog.LevelInfo, isJournal(f, here)).With("a", 1).WithGroup("g")
	log.Debug("not this")
	log.Info("i", "b", 2)
	log.Warn("w")
	log.Error("e")
	newLogger(f, "json", slog.LevelDebug, isJournal(f, here)).Debug("d")
	report(f, getenv, misuse("do that", "this is wrong"))
	raw, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	raw = bytes.TrimLeft(raw, "\x00") // the file is not written from its beginning
	want := `^<6>level=INFO msg=i a=1 g\.b=2
<4>level=WARN msg=w a=1
<3>level=ERROR msg=e a=1
<7>\{"time":"[^"]+","level":"DEBUG","msg":"d"\}
<3>edgechat: error: this is wrong
<3>edgechat: hint: do that
$`
	if !regexp.MustCompile(want).Match(raw) {
		t.Errorf("the journal got\n%s, want\n%s", raw, want)
	}
	if isJournal(io.Discard, here) {
		t.Error("what is no file is taken for the journal")
	}
}
