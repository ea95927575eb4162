package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/hub"
	"edgechat/internal/edgetest"
	"edgechat/store"
)

func (r *running) alive(patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return r.Alive(ctx)
}

func TestAlive(t *testing.T) {
	s := start(t, Config{WriteTimeout: time.Second}) // the sweeper passes eight times in it
	c := edgetest.Dial(t, s.url+"/chat/room/den", jsonProtocol)
	c.JSONOf("subscribed")
	c.Text(`{"type":"message","content":"x","idempotency_key":"k"}`)
	c.JSONOf("ack")
	for range 3 {
		if err := s.alive(30 * time.Second); err != nil {
			t.Error(err)
		}
	}
}

// deaf is a Conn that takes what it is given.
type deaf struct{}

func (deaf) Flush() bool            { return true }
func (deaf) Later(func() bool) bool { return false }
func (deaf) Close(uint16, string)   {}

// A room whose lock is not given back is seen, while the event loops go on; so is one that
// blocks an append, with the store's lock of that room.
func TestAliveHeld(t *testing.T) {
	cfg := Config{Listen: []string{"127.0.0.1:0"}, Data: filepath.Join(t.TempDir(), "data"), WriteTimeout: time.Second}
	srv, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	// Encoding happens with the room's lock held; this hub's takes its time.
	encoding, release := make(chan struct{}), make(chan struct{})
	srv.hub, err = hub.New(hub.Config{Log: srv.store, Formats: []hub.Format{{
		Message: func(dst []byte, _ string, _ *codec.Message) []byte { close(encoding); <-release; return dst },
		Event:   func(dst []byte, _ string, _ *codec.Event) []byte { return dst },
	}}})
	if err != nil {
		t.Fatal(err)
	}
	r := &running{Server: srv, t: t}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(ctx) })
	member := srv.hub.Join("den", deaf{}, hub.Join{Username: "u"}, nil)
	wg.Go(func() { _ = srv.hub.Publish("den", codec.Message{Username: "u", Content: "x"}, "", codec.Done{}) })
	<-encoding
	for range 2 {
		until(t, "hub that does not answer", func() error { // others may take some time to answer, too
			err := r.alive(1500 * time.Millisecond)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("while a room is locked: %v", err)
			}
			if strings.Contains(err.Error(), "the hub does not answer") {
				return nil
			}
			return err
		})
	}
	close(release)
	if err := r.alive(30 * time.Second); err != nil {
		t.Errorf("when it is free: %v", err)
	}
	member.Leave()
	stop()
	wg.Wait()
}

// A disk that fails, or does not answer, is no reason to be killed; the states that a
// store really gets into, and how long each may last.
func TestCommitterProgress(t *testing.T) {
	const patience = time.Minute
	at := func(d time.Duration) time.Time { return time.Unix(0, 0).Add(d) }
	pending := func(n int, commits, failures uint64) store.Stats {
		return store.Stats{Pending: n, Commits: commits, Failures: failures}
	}
	broken := errors.New("the disk has not answered for 1h")
	for what, c := range map[string]struct {
		then, now store.Stats
		ready     error
		after     time.Duration
		stuck     bool
	}{
		"idle for a year":    {pending(0, 5, 0), pending(0, 5, 0), nil, 365 * 24 * time.Hour, false},
		"busy":               {pending(9, 5, 0), pending(9, 6, 0), nil, time.Hour, false},
		"every commit fails": {pending(9, 5, 1), pending(9, 5, 2), nil, time.Hour, false},
		"a commit hangs":     {pending(9, 5, 0), pending(9, 5, 0), broken, time.Hour, false},
		"waits for its time": {pending(9, 5, 0), pending(9, 5, 0), nil, patience - 1, false},
		"has work, is in no commit, does nothing": {pending(9, 5, 0), pending(9, 5, 0), nil, patience + 1, true},
	} {
		var p progress
		if p.stuck(at(0), c.then, nil, patience) {
			t.Errorf("%s: stuck at the first look", what)
		}
		if got := p.stuck(at(c.after), c.now, c.ready, patience); got != c.stuck {
			t.Errorf("%s: stuck %v", what, got)
		}
		if p.stuck(at(c.after+1), pending(0, 5, 0), nil, patience) {
			t.Errorf("%s: stuck though nothing is pending", what)
		}
	}
}

// The figures above are the store's own: a message that waits for a commit which is
// an hour away looks like a committer that is stuck, to one without patience.
func TestCommitterIsAsked(t *testing.T) {
	s := start(t, Config{SyncInterval: time.Hour, WriteTimeout: time.Second})
	c := edgetest.Dial(t, s.url+"/chat/room/den", jsonProtocol)
	c.JSONOf("subscribed")
	c.Text(`{"type":"message","content":"x"}`)
	c.JSONOf("message")
	if err := s.alive(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	look := func() bool {
		return s.probe.committer.stuck(time.Now(), s.store.Stats(), s.store.Ready(), 20*time.Millisecond)
	}
	look()
	time.Sleep(50 * time.Millisecond)
	if !look() {
		t.Error("it is not seen")
	}
	if err := s.alive(30 * time.Second); err != nil {
		t.Errorf("with the patience of SyncInterval: %v", err)
	}
}

func TestStatus(t *testing.T) {
	l, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Listeners: []net.Listener{l}})
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s.url = "http://127.0.0.1:" + port
	want := func(text string) {
		t.Helper()
		text = "listening on :" + port + ", " + text
		until(t, "such status", func() error {
			if got := s.Status(); got != text {
				return fmt.Errorf("%q, want %q", got, text)
			}
			return nil
		})
	}
	want("0 connections in 0 rooms")
	edgetest.Dial(t, s.url+"/chat/room/den", jsonProtocol).JSONOf("subscribed")
	want("1 connection in 1 room")
	edgetest.Dial(t, s.url+"/chat/room/hall", jsonProtocol).JSONOf("subscribed")
	edgetest.Dial(t, s.url+"/chat/room/hall", jsonProtocol).JSONOf("subscribed")
	want("3 connections in 2 rooms")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if text := s.Status(); !strings.Contains(text, "; degraded: the store is closed") {
		t.Errorf("status without a store: %q", text)
	}
}

func (deaf) Pause()  {}
func (deaf) Resume() {}
