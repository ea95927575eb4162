package hub

import (
	"flag"
	"fmt"
	"sync/atomic"
	"testing"
	"time"
)

var (
	modelTime = flag.Duration("model", 2*time.Second, "how long TestRoomModel runs")
	modelSeed = flag.Uint64("seed", 0, "TestRoomModel's first seed; 0 is one by the clock")
)

// TestRoomModel has rooms, and connections that are in several of them, do everything at once and compares what
// each member was written with a plain list of what was said in its room: every message from where it
// joined or came back, in order, once; every event once, between the messages between
// which it was announced, save for what was announced while the member was out
// of the log. Who takes nothing keeps nothing from the others; a connection that rooms have paused goes
// on when the last of them lets it, and one that has ended is in none of its rooms. Schedules differ; the
// seed fixes what is tried.
func TestRoomModel(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano() % 1e9)
	}
	var sum tried
	began := time.Now()
	for i := uint64(0); time.Since(began) < *modelTime && !t.Failed(); i++ {
		newWorld(t, seed+i, &sum).run()
	}
	t.Logf("-seed %d: %v", seed, &sum)
	sum.check(t)
}

// tried counts what the worlds went through.
type tried struct {
	worlds, messages, events, joins, pieces, shared, pauses, pairs, lags, lost atomic.Uint64
}

// check fails if a run was long enough to try something and did not.
func (s *tried) check(t *testing.T) {
	n, always := s.worlds.Load(), min(s.messages.Load(), s.events.Load(), s.joins.Load(), s.pieces.Load())
	mostly := min(s.lags.Load(), s.shared.Load(), s.pauses.Load())
	if !t.Failed() && (n >= 1 && always == 0 || n >= 30 && mostly == 0 || n >= 300 && min(s.lost.Load(), s.pairs.Load()) == 0) {
		t.Error("something was never tried")
	}
}

func (s *tried) String() string {
	return fmt.Sprintf("%d worlds, %d joins, %d messages and %d events taken in %d pieces, of which %d stood beside one of another room, %d waits for a resume, %d times two pauses, %d times out of the log, %d lost",
		s.worlds.Load(), s.joins.Load(), s.messages.Load(), s.events.Load(), s.pieces.Load(), s.shared.Load(),
		s.pauses.Load(), s.pairs.Load(), s.lags.Load(), s.lost.Load())
}
