package server

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

func TestMain(m *testing.M) { edgetest.Main(m) }

// A running server, stopped at the latest when the test ends.
type running struct {
	*Server
	t      *testing.T
	url    string // "http://127.0.0.1:PORT"
	log    *edgetest.Log
	cancel context.CancelFunc
	served chan struct{} // closed when Serve has returned err
	err    error
}

// start serves cfg, by default on a free port with a data folder of its own.
func start(t *testing.T, cfg Config) *running {
	t.Helper()
	if cfg.Listen == nil {
		cfg.Listen = []string{"127.0.0.1:0"}
	}
	if cfg.Data == "" {
		cfg.Data = filepath.Join(t.TempDir(), "data")
	}
	r := &running{t: t, log: new(edgetest.Log), served: make(chan struct{})}
	cfg.Logger = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if r.Server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	r.url = "http://" + r.addr(0).String()
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() { // ends when the clean-up below cancels ctx, and is waited for there
		r.err = r.Serve(ctx)
		close(r.served)
	}()
	t.Cleanup(func() { r.stop() })
	return r
}

// stop asks for a stop and returns what Serve returned.
func (r *running) stop() error {
	r.cancel()
	select {
	case <-r.served:
	case <-time.After(30 * time.Second):
		r.t.Fatal("Serve did not return within 30 s")
	}
	return r.err
}

// addr is the address of the listener i.
func (r *running) addr(i int) net.Addr { return r.listeners[i].Addr() }

// dial connects to the server for bytes as they are.
func (r *running) dial() net.Conn {
	r.t.Helper()
	addr := r.addr(0)
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}
