package store

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"edgechat/codec"
)

// A pausingHandler waits at one message of the log.
type pausingHandler struct {
	slog.Handler
	at        string
	once      sync.Once
	met, goOn chan struct{}
}

func (h *pausingHandler) Enabled(context.Context, slog.Level) bool { return true }
func (h *pausingHandler) WithAttrs([]slog.Attr) slog.Handler       { return h }

func (h *pausingHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == h.at {
		h.once.Do(func() {
			close(h.met)
			<-h.goOn
		})
	}
	return h.Handler.Handle(ctx, r)
}

// TestSaidWhileReplaced: what is said between the moment at which a salvaged history gets the name of the damaged one and that at which
// readers go by it is in the log as ever.
func TestSaidWhileReplaced(t *testing.T) {
	h := &pausingHandler{Handler: slog.DiscardHandler, at: "store cannot remove", met: make(chan struct{}), goOn: make(chan struct{})}
	s := open(t, Config{RetryDelay: 10 * time.Millisecond, AckDelay: time.Nanosecond, Logger: slog.New(h)})
	sayFolded(t, s, "den", "x", "")
	for i := range corruptCopies { // which cannot be removed: that is logged where the new file is in place
		folder := fmt.Sprintf("%s.corrupt-2001010%d", s.cfg.Path, i)
		if err := os.MkdirAll(filepath.Join(folder, "full"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(s.cfg.Path, 100); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	s.folds <- fold{reopen: true, done: done}
	select {
	case <-h.met:
	case <-time.After(30 * time.Second):
		t.Fatal("no salvage")
	}
	goOn := sync.OnceFunc(func() { close(h.goOn) })
	defer goOn()
	r := sayStored(t, s, "den", "y", "")
	goOn()
	want(t, "durable", r.Durable, true)
	want(t, "ready", s.Ready(), nil)
	want(t, "the salvage", <-done, nil)
	want(t, "den", read(t, s, "den", codec.Query{}), "y")
}

// TestSaidWhileReopened: a history that is looked at anew and found whole is there all the while for those who write to the log.
func TestSaidWhileReopened(t *testing.T) {
	s := open(t, Config{})
	sayFolded(t, s, "den", "x", "")
	done := make(chan error, 1)
	for range 50 {
		s.folds <- fold{reopen: true, done: done}
		for reopening := true; reopening; {
			select {
			case err := <-done:
				want(t, "reopened", err, nil)
				reopening = false
			default:
				if err := s.stillOurs(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	want(t, "salvages", s.Stats().Salvages, 0)
}
