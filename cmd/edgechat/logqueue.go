package main

import (
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// queuedBytes bounds the lines that wait to be written, in bytes.
	queuedBytes = 256 << 10
	// lastLines is how long the end of the process waits for them at most.
	lastLines = time.Second
)

// A logQueue writes lines behind whoever logs them: an output that nobody reads, a
// pipe for one, must not stop an event loop. Lines that find the queue full
// are dropped and counted, and that is logged once there is room.
type logQueue struct {
	out     io.Writer
	ended   chan struct{} // closed when the last line is written
	dropped func(n int)   // logs it

	mu      sync.Mutex
	more    sync.Cond // lines, or closing
	lines   [][]byte
	bytes   int    // of lines, and of the one that is being written
	lost    int    // since it was told
	all     uint64 // dropped since the start
	closing bool
}

// newLogQueue returns a queue with a goroutine, which close ends.
func newLogQueue(out io.Writer) *logQueue {
	q := &logQueue{out: out, ended: make(chan struct{})}
	q.more.L = &q.mu
	go q.run()
	return q
}

// newQueuedLogger is newLogger behind a queue, which is to be closed.
func newQueuedLogger(w io.Writer, format string, level slog.Leveler, getenv func(string) string) (log *slog.Logger, q *logQueue) {
	q = newLogQueue(w)
	log = newLogger(q, format, level, isJournal(w, getenv("JOURNAL_STREAM")))
	q.mu.Lock()
	q.dropped = func(n int) { log.Warn("log lines dropped, since nobody reads them fast enough", "lines", n) }
	q.mu.Unlock()
	return log, q
}

// Write takes one line, or drops it.
func (q *logQueue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes+len(line) > queuedBytes && q.bytes > 0 {
		q.lost++
		q.all++
		return len(line), nil
	}
	q.bytes += len(line)
	q.lines = append(q.lines, append([]byte(nil), line...))
	q.more.Signal()
	return len(line), nil
}

// droppedLines returns how many lines were dropped since the start.
func (q *logQueue) droppedLines() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.all
}

func (q *logQueue) run() {
	defer close(q.ended)
	for {
		line, ok := q.next()
		if !ok {
			return
		}
		_, _ = q.out.Write(line) // there is nowhere to say that it failed
		q.mu.Lock()
		q.bytes -= len(line)
		lost := 0
		if len(q.lines) == 0 {
			lost, q.lost = q.lost, 0
		}
		q.mu.Unlock()
		if lost > 0 {
			q.dropped(lost)
		}
	}
}

// next waits for a line. It returns false at the end.
func (q *logQueue) next() (line []byte, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.lines) == 0 {
		if q.closing && q.lost == 0 {
			return nil, false
		}
		q.more.Wait()
	}
	line = q.lines[0]
	q.lines[0] = nil
	q.lines = q.lines[1:]
	return line, true
}

// close has what waits written, unless nobody reads it.
func (q *logQueue) close() {
	q.mu.Lock()
	q.closing = true
	q.more.Signal()
	q.mu.Unlock()
	select {
	case <-q.ended:
	case <-time.After(lastLines):
	}
}
