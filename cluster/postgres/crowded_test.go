package postgres

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/cluster/clustertest"
)

// TestCrowded: see clustertest.Crowded.
func TestCrowded(t *testing.T) {
	t.Parallel()
	clustertest.Crowded(t, serve(t))
}

// TestPresence: see clustertest.Presence.
func TestPresence(t *testing.T) {
	t.Parallel()
	clustertest.Presence(t, serve(t))
}

// TestChannels: two clusters at one server do not hear each other.
func TestChannels(t *testing.T) {
	t.Parallel()
	s := serve(t)
	heard := make(chan string, 16)
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	engines := map[string]*Engine{}
	for _, name := range []string{"one", "One", "one-two"} {
		e, err := Open(Config{Address: s.Address(), Name: name})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		engines[name] = e
		wg.Go(func() {
			_ = e.Listen(ctx, func(payload []byte) { heard <- name + " heard " + string(payload) }) // until ctx ends
		})
		for ready := false; !ready; { // what is said before it listens is lost
			if err := e.Broadcast(ctx, []byte(name)); err != nil {
				t.Fatal(err)
			}
			select {
			case got := <-heard: // maybe an earlier one's, which was said more than once
				by, payload, _ := strings.Cut(got, " heard ")
				if by != payload {
					t.Fatal(got)
				}
				ready = by == name
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	for name, e := range engines {
		if err := e.Broadcast(ctx, []byte("last "+name)); err != nil {
			t.Fatal(err)
		}
	}
	for lasts := 0; lasts < len(engines); {
		got := <-heard
		name, payload, _ := strings.Cut(got, " heard ")
		if strings.TrimPrefix(payload, "last ") != name {
			t.Error(got)
		}
		if strings.HasPrefix(payload, "last ") {
			lasts++
		}
	}
}
