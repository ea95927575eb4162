package ws

import (
	"sync/atomic"

	"edgechat/refusal"
)

// Stats are counters since the start, save for Open and Waiting.
type Stats struct {
	Open     int    // WebSockets now
	Feeds    int    // answers without an end now, see Feed
	Waits    int    // requests that wait now, see Router.Wait
	Waiting  int    // newcomers now, that have said nothing yet, and those that were refused and have not hung up
	Plain    int    // connections now that are no WebSockets, Waiting ones included
	Accepted uint64 // upgrades done

	Handshakes       uint64 // of TLS, that were done; one that asks for nothing is counted when it ends
	HandshakesFailed uint64 // that were not: no TLS, none that both know, a certificate that the client does not trust, too late

	Refused  uint64 // requests that were refused
	Invalid  uint64 // messages that Decode refused
	Violated uint64 // connections closed for frames against RFC 6455 or over a limit
	Slow     uint64 // connections closed with 1013: no progress, or too much pending
	Silent   uint64 // connections dropped after two ping intervals of silence
	Panics   uint64 // handlers that panicked

	RefusedBy     map[refusal.Code]uint64 // Refused by reason
	ClosedBy      map[uint16]uint64       // connections that ended, by close code: 1006 without a close frame, 0 with a code that clients choose
	FeedsOpened   uint64                  // answers without an end that were begun
	FeedsClosedBy map[uint16]uint64       // and that ended, by close code as of ClosedBy: 1006 if the peer has ended it
	Crowded       uint64                  // connections that were not taken since all descriptors but a reserve are in use
	Crowding      bool                    // that was so within the last minute

	Limits LimitStats

	AcceptErrors uint64 // times that no connection could be accepted, for want of descriptors or memory

	Stalled   uint64 // connections closed with 1008 because a message took longer than MessageTimeout
	PutOff    uint64 // times that a connection or a listener had more than its share of an event loop's turn
	Slices    uint64 // times that what Later was given went on in a later turn
	Writes    uint64 // system calls with which event loops' connections were written
	SlowTurns uint64 // turns of an event loop that took longer than 50 ms, each of which held up others
}

type counters struct {
	accepted, crowded, invalid, violated, slow, silent, panics, acceptErrors, slowTurns, stalled, feeds, handshakes, handshakesFailed atomic.Uint64
	crowdedAt                                                                                                                         atomic.Uint32 // tick of the last of them

	refused refusal.Counts
	closed  refusal.CloseCounts
	fed     refusal.CloseCounts // feeds
}

// Stats returns the counters as they are now.
func (rt *Router) Stats() Stats {
	s := &rt.stats
	stats := Stats{
		Accepted: s.accepted.Load(), Invalid: s.invalid.Load(),
		Violated: s.violated.Load(), Slow: s.slow.Load(), Silent: s.silent.Load(), Panics: s.panics.Load(),
		AcceptErrors: s.acceptErrors.Load(), Stalled: s.stalled.Load(), SlowTurns: s.slowTurns.Load(),
		RefusedBy: s.refused.Read(), ClosedBy: s.closed.Read(), Crowded: s.crowded.Load(), Crowding: rt.crowding(), Waiting: rt.lobby.len(),
		Handshakes: s.handshakes.Load(), HandshakesFailed: s.handshakesFailed.Load(),
		Limits: rt.census.counts.stats(), Plain: int(rt.census.plain.Load()),
	}
	conns, feeds, waits := rt.conns.len()
	stats.Open, stats.Feeds, stats.Waits = max(conns-feeds, 0), feeds, waits
	stats.FeedsOpened, stats.FeedsClosedBy = s.feeds.Load(), s.fed.Read()
	for _, n := range stats.RefusedBy {
		stats.Refused += n
	}
	for _, r := range rt.reactors {
		r.count(&stats)
	}
	return stats
}
