package edgetest

import (
	"bytes"
	"strings"
	"sync"
)

// A Log takes what is logged, for a test to look at while it goes on.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Has reports whether text was logged.
func (l *Log) Has(text string) bool { return strings.Contains(l.String(), text) }
