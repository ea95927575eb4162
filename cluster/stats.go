package cluster

import (
	"sync/atomic"
	"time"

	"edgechat/metrics"
)

type counters struct {
	batches, appended, failures, retried, refused, duplicates, applied, unread, leaps, rollbacks, retracted, again, epochs, syncs, silent, deaf, asked, buried, told, toldBytes, wanted atomic.Uint64
	appendTimes                                                                                                                                                                         metrics.Histogram
}

// Stats are counters since the start, save for the first.
type Stats struct {
	Nodes      int    // other nodes that were heard lately
	Lag        uint64 // entries that the engine had a second ago and this node does not have yet
	Epoch      uint64 // number of the present one
	Queue      int    // messages that wait for the engine
	Waiting    int    // and for the tail
	Batches    uint64 // calls of the engine to append
	Appended   uint64 // messages in those that it answered
	Failures   uint64 // those that it did not
	Retried    uint64 // messages that were tried again
	Refused    uint64 // messages that found the queue full
	Duplicates uint64 // messages that were known here by their key
	Applied    uint64 // entries that came by the tail
	Unread     uint64 // of these: that could not be decoded
	Leaps      uint64 // times that entries were missed, since the log did not have them any more
	Rollbacks  uint64 // times that this node took messages back
	Retracted  uint64 // messages that this node took from the engine's log, since they were of another line
	Again      uint64 // messages of these that were appended again
	Epochs     uint64 // that this node opened
	Syncs      uint64 // reads that waited for the tail
	Silent     uint64 // broadcasts that failed
	Deaf       uint64 // times that the engine did not let this node hear others
	Asked      uint64 // times that others were asked who is there
	Buried     uint64 // nodes that were silent for so long that their members have left
	Told       uint64 // broadcasts of who is here and what was decided
	ToldBytes  uint64 // and their bytes
	Wanted     uint64 // times that others were asked for what they have decided
	Twins      uint64 // broadcasts of another process with this node's name

	AppendTimes metrics.Durations
}

// Stats returns the counters as they are now.
func (l *Log) Stats() Stats {
	c := &l.stats
	s := Stats{
		Batches: c.batches.Load(), Appended: c.appended.Load(), Failures: c.failures.Load(), Retried: c.retried.Load(), Refused: c.refused.Load(),
		Duplicates: c.duplicates.Load(), Applied: c.applied.Load(), Unread: c.unread.Load(), Leaps: c.leaps.Load(),
		Rollbacks: c.rollbacks.Load(), Retracted: c.retracted.Load(), Again: c.again.Load(), Epochs: c.epochs.Load(), Syncs: c.syncs.Load(), AppendTimes: c.appendTimes.Read(),
		Silent: c.silent.Load(), Deaf: c.deaf.Load(), Asked: c.asked.Load(), Buried: c.buried.Load(), Twins: l.twins.Load(),
		Told: c.told.Load(), ToldBytes: c.toldBytes.Load(), Wanted: c.wanted.Load(),
	}
	if peers := l.presence.peers.Load(); peers != nil {
		s.Nodes = len(*peers)
	}
	if st := l.state.Load(); st != nil {
		s.Epoch = st.Epoch.N
		if last, have := CountOf(st.Last), CountOf(l.applied.Load()); last > have {
			s.Lag = last - have
		}
	}
	l.mu.Lock()
	s.Queue = len(l.queue)
	for _, list := range l.waiting {
		s.Waiting += len(list)
	}
	l.mu.Unlock()
	return s
}

// A Status is how the engine and this node stand.
type Status struct {
	Node     string
	Engine   string
	State    State  // of the engine, as it was last seen; zero before
	Position uint64 // that this node has
	Owed     int    // messages that were taken back, which this node appends again
	Peers    []Peer // the other nodes that were heard lately
}

// Status returns that, as it is now.
func (l *Log) Status() Status {
	s := Status{Node: l.cfg.Node, Engine: l.engine.Describe(), Position: l.applied.Load(), Owed: len(l.owing())}
	if peers := l.presence.peers.Load(); peers != nil {
		s.Peers = *peers
	}
	if st := l.state.Load(); st != nil {
		s.State = *st
	}
	return s
}

// A Peer is another node.
type Peer struct {
	Node    string
	Address string        // where clients reach it, as it says itself; "" is nowhere
	Heard   time.Duration // ago, when that was last looked at
	Members int           // with more than one connection each counted so often
}
