package ws

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
)

// A blocker does not come back from Receive until it is let.
type blocker struct {
	began chan<- struct{}
	until <-chan struct{}
}

func (b blocker) Receive(string) { b.began <- struct{}{}; <-b.until }
func (b blocker) Closed(error)   {}

// quickTicks has the sweeper pass every 10 ms, and nobody closed for his silence.
var quickTicks = Config{WriteTimeout: 80 * time.Millisecond, PingInterval: time.Hour}

// alive asks with this much patience.
func alive(rt *Router, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return rt.Alive(ctx)
}

// expectStuck fails unless rt is not alive, and says that it is this that does not answer. It may take what is well
// some time to answer, too.
func expectStuck(t *testing.T, rt *Router, what string) {
	t.Helper()
	awaitThat(t, what, func() bool {
		err := alive(rt, 300*time.Millisecond)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("want %q, got %v", what, err)
		}
		return strings.Contains(err.Error(), what)
	})
}

// TestAlive: a handler that blocks holds one loop; that is seen, and it passes.
func TestAlive(t *testing.T) {
	began, until := make(chan struct{}), make(chan struct{})
	cfg := quickTicks
	cfg.loops = 3
	rt := newRouter(t, cfg)
	if len(rt.reactors) == 0 {
		t.Skip("no event loops here")
	}
	React(rt, Route[string]{Path: "/", Decode: decodeText, Open: func(*Conn[string]) (Session[string], error) {
		return blocker{began, until}, nil
	}})
	url := serve(t, rt) + "/"
	if err := alive(rt, 30*time.Second); err != nil {
		t.Fatalf("at rest: %v", err)
	}
	c := edgetest.Dial(t, url)
	c.Text("block")
	<-began
	for range 2 {
		expectStuck(t, rt, "1 of 3 event loops")
	}
	close(until)
	if err := alive(rt, 30*time.Second); err != nil {
		t.Errorf("when it has come back: %v", err)
	}
}

// TestAliveLock: a connection whose lock is never given back stops the sweeper,
// which nobody would notice while others talk.
func TestAliveLock(t *testing.T) {
	url, rt, _ := echo(t, quickTicks, 0)
	c := edgetest.Dial(t, url+"/react")
	c.Text("hello")
	c.ExpectText("hello") // no loop waits for the lock
	conns := rt.conns.all(nil)
	given, back := make(chan struct{}), make(chan struct{})
	go conns[0].out.Alive(func() { close(given); <-back })
	<-given
	for range 2 { // before the sweeper gets there, and when it stands there
		expectStuck(t, rt, "sweeper")
	}
	close(back)
	if err := alive(rt, 30*time.Second); err != nil {
		t.Errorf("when it is given back: %v", err)
	}
}

// TestAliveBusy: work without a pause is life.
func TestAliveBusy(t *testing.T) {
	cfg := quickTicks
	cfg.loops = 1
	url, rt, _ := echo(t, cfg, 0)
	stop := make(chan struct{})
	done := make(chan struct{})
	c := edgetest.Dial(t, url+"/react")
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := c.Conn.Write(edgetest.Frame(edgetest.OpText, []byte("x"))); err != nil {
					return
				}
				if _, _, err := c.Read(); err != nil {
					return
				}
			}
		}
	}()
	for range 5 {
		if err := alive(rt, 30*time.Second); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	<-done
}

// TestAliveAtEnd: who asks during a shutdown is not left waiting.
func TestAliveAtEnd(t *testing.T) {
	rt := newRouter(t, Config{})
	if err := rt.Shutdown(t.Context(), refusal.CloseServiceRestart, ""); err != nil {
		t.Fatal(err)
	}
	if err := rt.Alive(t.Context()); err != nil {
		t.Errorf("after the shutdown: %v", err)
	}
}
