package ws

import (
	"context"
	"fmt"
	"time"
)

// Alive returns nil once each event loop has made a turn and the sweeper has
// passed all connections, which takes a second at most when all is well.
// Otherwise it returns, when ctx ends, which of them did not answer: it is stuck, for
// example in a handler that blocks or on a connection's lock. A loop that is busy
// answers all the same, and so does a Router that was shut down. It may be called from any goroutine.
func (rt *Router) Alive(ctx context.Context) error {
	swept := rt.tick.Load()
	turned := make(chan struct{}, len(rt.loops)) // none of them waits for us
	for _, l := range rt.loops {
		l.post(func() { turned <- struct{}{} })
	}
	for n := range len(rt.loops) {
		select {
		case <-turned:
		case <-rt.halt:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("ws: %d of %d event loops do not answer: %w", len(rt.loops)-n, len(rt.loops), context.Cause(ctx))
		}
	}
	// A sweep that was under way is counted already, so it takes the beginning of
	// the next to know that this one came to its end.
	ticker := time.NewTicker(rt.tickLength())
	defer ticker.Stop()
	for rt.tick.Load() == swept {
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
