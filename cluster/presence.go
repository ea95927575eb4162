package cluster

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
	"sync/atomic"
	"time"

	"edgechat/codec"
)

// Presence is who is in which room on other nodes. Nodes broadcast what changes and, once a second, how far they are; what was lost on the way is noticed
// by that, and asked for. A node that has not been heard for some time is dead, and all its members have left; but a node that hears nobody, itself neither, is
// deaf, since the engine is away, and knows of nobody's death: who was elsewhere stays.
//
// What moderators decide goes the same way, see Ledger.
type presence struct {
	log    *Log
	boot   string // of this process: a node that was started again numbers anew
	crowd  Crowd
	ledger Ledger // nil without one

	mu      sync.Mutex
	number  uint64
	here    map[seat]*place // everyone here
	changes []change        // not broadcast yet
	missed  bool            // there were too many of these: others have to ask for all
	typing  []event
	decided [][]byte
	asked   bool // somebody wants all
	wanted  [LedgerParts]bool
	wants   bool // of the ledger, what is wanted
	wake    chan struct{}
	merging [][]byte      // what others decided
	told    chan struct{} // there is some

	allAt time.Time // when all was broadcast; the speaker's

	// The listener's.
	others map[string]*other      // by node
	heard  time.Time              // when anybody was
	deaf   bool                   // nobody was for some time
	since  atomic.Int64           // when that began, in nanoseconds since 1970; 0 is not
	why    atomic.Pointer[error]  // what the engine said of it last; nil if nothing
	peers  atomic.Pointer[[]Peer] // others, as they were a second ago
}

// A Crowd is told what other nodes announce; package hub has it.
type Crowd interface {
	Abroad(room string, e *codec.Event)
	// Empty reports whether nobody is in any room here.
	Empty() bool
}

type seat struct {
	room, name string
	verified   bool
}

type place struct {
	count int
	since int64
}

const (
	beatEvery   = time.Second
	deadAfter   = 5 * time.Second
	deafAfter   = 3 * time.Second
	askAgain    = 500 * time.Millisecond
	gatherJoins = 10 * time.Millisecond
	// allEvery is how often everyone is broadcast, at most, however many ask.
	allEvery = time.Second
	// mostTyping is how many of these wait, at most: further ones are lost.
	mostTyping = 256
	// mostChanges is how many of these wait while the engine is slow. With more of them others ask for all.
	mostChanges = 8192
	// mostDecided is how many decisions wait. With more of them others ask for what they miss.
	mostDecided = 256
)

// Announced is told what is announced here; see hub.Config.
func (l *Log) Announced(room string, e *codec.Event) { l.presence.announced(room, e) }

// Meet begins to tell crowd of others, and others of what Announced was told. It is called once, after Deliver and Share.
func (l *Log) Meet(crowd Crowd) {
	l.presence.crowd, l.presence.heard = crowd, time.Now()
	l.crowd.Store(&crowd)
	l.wg.Go(l.presence.speak)
	l.wg.Go(l.presence.listen)
	if l.presence.ledger != nil {
		l.wg.Go(l.presence.absorb)
	}
}

// Deaf returns since when nobody was heard, this node neither: who is on others stays as it was then. Zero is not. why is what the engine
// says of it, nil if it says nothing.
func (l *Log) Deaf() (since time.Time, why error) {
	ns := l.presence.since.Load()
	if ns == 0 {
		return time.Time{}, nil
	}
	if err := l.presence.why.Load(); err != nil {
		why = *err
	}
	return time.Unix(0, ns), why
}

func (p *presence) init(l *Log) {
	var b [8]byte
	rand.Read(b[:]) // never fails
	p.log, p.boot = l, hex.EncodeToString(b[:])
	p.here, p.others, p.wake, p.told = map[seat]*place{}, map[string]*other{}, make(chan struct{}, 1), make(chan struct{}, 1)
}

func (p *presence) announced(room string, e *codec.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := seat{room, e.Username, e.Verified}
	switch e.Type {
	case codec.TypeTyping:
		if len(p.typing) >= mostTyping {
			return
		}
		p.typing = append(p.typing, event{room, e.Username, e.Verified, e.Time})
	case codec.TypeJoined:
		if p.here[s] == nil {
			p.here[s] = &place{since: e.Time}
		}
		p.here[s].count++
		p.changedLocked(change{room, e.Username, e.Verified, 1, e.Time})
	case codec.TypeLeft:
		if at := p.here[s]; at != nil {
			if at.count--; at.count == 0 {
				delete(p.here, s)
			}
		}
		p.changedLocked(change{room, e.Username, e.Verified, -1, e.Time})
	}
	signal(p.wake)
}

func (p *presence) changedLocked(c change) {
	if len(p.changes) >= mostChanges {
		p.changes, p.missed = nil, true
	}
	if !p.missed {
		p.changes = append(p.changes, c)
	}
}
