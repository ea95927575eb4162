package client

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// An early context has a deadline that is over before it says so, as any has for a moment on a busy machine.
type early struct{ context.Context }

func (early) Deadline() (time.Time, bool) { return time.Now().Add(-time.Second), true }

// TestDeadline: what a dial says at the deadline is not told as why the server is not there.
func TestDeadline(t *testing.T) {
	late := errors.New("not within a second")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, late)
	defer cancel()
	told := 0
	_, err := Join(early{ctx}, Config{URL: "http://127.0.0.1:1", Room: "den", OnLost: func(error, time.Duration) { told++ }})
	if !errors.Is(err, late) || strings.Contains(err.Error(), "i/o timeout") || told > 0 {
		t.Errorf("%v, and %d times before", err, told)
	}
}
