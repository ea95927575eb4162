package ws

import (
	"context"
	"fmt"
	"time"
)

// Alive returns nil once each event loop has made a turn and the sweeper has
// passed all connections, which takes two seconds at most when all is well.
// Otherwise it returns, when ctx ends, which of them did not answer: it is stuck, for
// example in a handler that blocks or on a connection's lock. A loop that is busy
// answers all the same, and so does a Router that was shut down. It may be called from any goroutine.
func (rt *Router) Alive(ctx context.Context) error {
	next := rt.tick.Load() + 1                      // the number of the first sweep that begins from now on
	turned := make(chan struct{}, len(rt.reactors)) // none of them waits for us
	for _, r := range rt.reactors {
		if !r.Post(func() { turned <- struct{}{} }) {
			return nil // Shutdown has stopped it
		}
	}
	for n := range len(rt.reactors) {
		select {
		case <-turned:
		case <-rt.halt:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("ws: %d of %d event loops do not answer: %w", len(rt.reactors)-n, len(rt.reactors), context.Cause(ctx))
		}
	}
	ticker := time.NewTicker(rt.tickLength())
	defer ticker.Stop()
	for int32(rt.swept.Load()-next) < 0 { // both wrap around
		select {
		case <-ticker.C:
		case <-rt.halt:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("ws: the sweeper does not answer: %w", context.Cause(ctx))
		}
	}
	return nil
}
