package main

import (
	"io"
	"log/slog"
	"strconv"
	"strings"
	"testing"
)

// TestLogUnread: whoever logs never waits for a reader; what is dropped is told when
// one comes.
func TestLogUnread(t *testing.T) {
	r, w := io.Pipe() // takes nothing that is not read
	log, q := newQueuedLogger(w, "text", slog.LevelDebug, func(string) string { return "" })
	const total = 10_000
	for n := range total {
		log.Debug("connected", "n", n)
	}
	read := make(chan string)
	go func() {
		p, _ := io.ReadAll(r) // a Pipe has no errors
		read <- string(p)
	}()
	q.close()
	_ = w.Close()
	text := <-read
	lines := strings.Count(text, "msg=connected")
	_, count, _ := strings.Cut(text, "lines=")
	lost, err := strconv.Atoi(strings.TrimSpace(count))
	if q.droppedLines() != uint64(lost) {
		t.Errorf("%d are counted", q.droppedLines())
	}
	if err != nil || lines+lost != total || lines < 1000 {
		t.Errorf("%d lines and %d dropped are not %d: %v", lines, lost, total, err)
	}
}

// TestLogNoReader: the end of the process does not wait for somebody who reads nothing.
func TestLogNoReader(t *testing.T) {
	r, w := io.Pipe()
	log, q := newQueuedLogger(w, "text", slog.LevelInfo, func(string) string { return "" })
	log.Info("nobody reads this")
	q.close()
	_ = r.Close() // and its goroutine ends
}
