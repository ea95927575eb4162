package moderation

import (
	"net/netip"
	"sync"
	"time"
)

// maxPaced is how many members of slow rooms are remembered at once.
const maxPaced = 8192

// A pace knows when each member of a slow room may send the next message. It is in memory alone: after a restart everyone
// may send one.
type pace struct {
	mu   sync.Mutex
	next map[paceKey]time.Time
}

// A paceKey is one member: a token, or without one a name at an address.
type paceKey struct {
	room, identity, name string
	address              netip.Addr
}

// take returns 0 and counts a message, or how long it is until there may be one.
func (p *pace) take(k paceKey, every time.Duration, now time.Time) (wait time.Duration) {
	if k.identity != "" {
		k.name, k.address = "", netip.Addr{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait = min(p.next[k].Sub(now), every); wait > 0 { // a room may have become faster
		return wait
	}
	if p.next == nil {
		p.next = make(map[paceKey]time.Time)
	}
	if len(p.next) >= maxPaced {
		p.makeRoomLocked(now)
	}
	p.next[k] = now.Add(every)
	return 0
}

// makeRoomLocked forgets who may send anyway, and if these are few whoever comes first, an eighth of all: they may send once
// more. So it is done once for many who come.
func (p *pace) makeRoomLocked(now time.Time) {
	for k, next := range p.next {
		if !now.Before(next) {
			delete(p.next, k)
		}
	}
	for k := range p.next {
		if len(p.next) <= maxPaced-maxPaced/8 {
			return
		}
		delete(p.next, k)
	}
}
