package ws

import "sync/atomic"

// Stats are counters since the start, save for Open.
type Stats struct {
	Open     int    // connections now
	Accepted uint64 // upgrades done
	Refused  uint64 // requests that were refused
	Invalid  uint64 // messages that Decode refused
	Violated uint64 // connections closed for frames against RFC 6455 or over a limit
	Slow     uint64 // connections closed with 1013: no progress, or too much pending
	Silent   uint64 // connections dropped after two ping intervals of silence
	Panics   uint64 // handlers that panicked

	AcceptErrors uint64 // times that no connection could be accepted, for want of descriptors or memory

	Stalled   uint64 // connections closed with 1008 because a message took longer than MessageTimeout
	PutOff    uint64 // times that a connection or a listener had more than its share of an event loop's turn
	Slices    uint64 // times that what Later was given went on in a later turn
	Writes    uint64 // system calls with which event loops' connections were written
	SlowTurns uint64 // turns of an event loop that took longer than 50 ms, each of which held up others
}

type counters struct {
	accepted, refused, invalid, violated, slow, silent, panics, acceptErrors, slowTurns, stalled atomic.Uint64
}

// Stats returns the counters as they are now.
func (rt *Router) Stats() Stats {
	s := &rt.stats
	stats := Stats{
		Open: rt.conns.len(), Accepted: s.accepted.Load(), Refused: s.refused.Load(), Invalid: s.invalid.Load(),
		Violated: s.violated.Load(), Slow: s.slow.Load(), Silent: s.silent.Load(), Panics: s.panics.Load(),
		AcceptErrors: s.acceptErrors.Load(), Stalled: s.stalled.Load(), SlowTurns: s.slowTurns.Load(),
	}
	for _, r := range rt.reactors {
		r.count(&stats)
	}
	return stats
}
