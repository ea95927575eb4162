package client

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/server"
)

func TestMain(m *testing.M) { edgetest.Main(m) }

// A board is a server that can be restarted in its place.
type board struct {
	t    *testing.T
	cfg  server.Config
	url  string
	stop func()
}

// newBoard starts a server.
func newBoard(t *testing.T, cfg server.Config) *board {
	t.Helper()
	addr := edgetest.FreeAddr(t) // where it comes back
	cfg.Data, cfg.Listen = t.TempDir(), []string{addr}
	cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, nil))
	cfg.DrainTimeout = 100 * time.Millisecond
	b := &board{t: t, cfg: cfg, url: "http://" + addr}
	b.start()
	t.Cleanup(func() { b.stop() })
	return b
}

func (b *board) start() {
	b.t.Helper()
	s, err := server.New(b.cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx) }() // ends with stop
	b.stop = func() {
		cancel()
		if err := <-served; err != nil {
			b.t.Errorf("the server ended with %v", err)
		}
		b.stop = func() {}
	}
}

// in joins the room den, for as long as the test lasts.
func in(t *testing.T, cfg Config) *Room {
	t.Helper()
	if cfg.Room == "" {
		cfg.Room = "den"
	}
	cfg.BackoffMin, cfg.BackoffMax = 5*time.Millisecond, 50*time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	r, err := Join(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

// say publishes, and fails the test unless it is acknowledged.
func say(t *testing.T, r *Room, content string) Ack {
	t.Helper()
	ack, err := r.Publish(t.Context(), content)
	if err != nil {
		t.Fatalf("%q: %v", content, err)
	}
	return ack
}

// hear returns the next n events of these types.
func hear(t *testing.T, r *Room, n int, types ...string) (events []Event) {
	t.Helper()
	for e, err := range r.Events() {
		if err != nil {
			t.Fatal(err)
		}
		for _, typ := range types {
			if e.Type == typ {
				events = append(events, e)
			}
		}
		if len(events) == n {
			return events
		}
	}
	t.Fatalf("it ended after %d of %d events", len(events), n)
	return nil
}
