package cluster

import (
	"encoding/binary"
	"hash/fnv"
	"time"
)

// LedgerParts is into how many parts a Ledger is divided.
const LedgerParts = 64

// A Ledger is what nodes decide besides messages: each keeps it, and all are to have the same. Package moderation has one. Its parts are in its own
// order merged with others', and how often changes nothing: so a broadcast may be lost, since heartbeats have a digest, by which it is noticed and asked for.
type Ledger interface {
	// Sums are digests of its parts: the same on nodes that have the same.
	Sums() [LedgerParts]uint64
	// Tell returns what is in some of the parts, as JSON of at most so many bytes each.
	Tell(which [LedgerParts]bool, most int) [][]byte
	// Merge takes over what other nodes told.
	Merge(parts [][]byte)
}

// Share keeps ledger the same on all nodes. It is called before Meet, if at all.
func (l *Log) Share(ledger Ledger) { l.presence.ledger = ledger }

// Spread tells all nodes what was decided here, in JSON for Merge of their ledgers. It does not wait.
func (l *Log) Spread(part []byte) {
	p := &l.presence
	p.mu.Lock()
	if len(p.decided) < mostDecided {
		p.decided = append(p.decided, part)
	}
	p.mu.Unlock()
	signal(p.wake)
}

// mostHeard is how many parts wait for Merge, which is slower than the engine if there are thousands of decisions. With more of them what is
// missing is asked for again.
const mostHeard = 1024

// absorb merges what others told until the Log is closed, all that has come meanwhile at once: whoever hears must not wait, or others would seem silent.
func (p *presence) absorb() {
	for {
		select {
		case <-p.log.ctx.Done():
			return
		case <-p.told:
			p.mu.Lock()
			parts := p.merging
			p.merging = nil
			p.mu.Unlock()
			p.ledger.Merge(parts)
		}
	}
}

func (p *presence) decidedElsewhere(part []byte) {
	if p.ledger == nil {
		return
	}
	p.mu.Lock()
	if len(p.merging) < mostHeard {
		p.merging = append(p.merging, part)
	}
	p.mu.Unlock()
	signal(p.told)
}

// digestOf is of all parts together; it is never 0.
func digestOf(sums [LedgerParts]uint64) uint64 {
	h := fnv.New64a()
	for _, s := range sums {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], s)
		_, _ = h.Write(b[:])
	}
	return h.Sum64() | 1
}

// A wish is what was asked of another node's ledger, while this one was as it was.
type wish struct {
	mine, theirs uint64
	at           time.Time
	wait         time.Duration // until it is asked again
}

// wishMost bounds how long a node that stays different, as one of another version may, is not asked again.
const wishMost = 30 * time.Second

// compare asks for what another node's ledger has otherwise, if it has; of several that have the same, one.
func (p *presence) compare(o *other, node string, digest uint64) {
	if p.ledger == nil || digest == 0 {
		return
	}
	sums := p.ledger.Sums()
	now, mine := time.Now(), digestOf(sums)
	if mine == digest {
		o.wish = wish{}
		return
	}
	for _, x := range p.others {
		if w := x.wish; w.mine == mine && w.theirs == digest && now.Sub(w.at) < w.wait {
			return
		}
	}
	wait := askAgain
	if w := o.wish; w.mine == mine && w.theirs == digest {
		wait = min(2*w.wait, wishMost)
	}
	o.wish = wish{mine, digest, now, wait}
	p.want(node, sums)
}

// wantedBy notes which parts another node has otherwise.
func (p *presence) wantedBy(theirs []byte) {
	if p.ledger == nil || len(theirs) != 8*LedgerParts {
		return
	}
	sums := p.ledger.Sums()
	p.mu.Lock()
	for i, s := range sums {
		if s != binary.BigEndian.Uint64(theirs[8*i:]) {
			p.wanted[i], p.wants = true, true
		}
	}
	p.mu.Unlock()
	signal(p.wake)
}
