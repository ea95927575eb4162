package hub

import (
	"sync"
	"sync/atomic"
)

// A page is frames from the Log for a member that is behind, and not yet
// written. One whose peer takes nothing may be taken away again: the Log has it.
type page struct {
	chunk
	owner      *Member
	prev, next *page // in pages
	held       bool  // it is in pages
}

// pages are all pages there are, the oldest first, and bounded all together.
// Its lock is taken last: with a room's held.
type pages struct {
	mu       sync.Mutex
	ends     page // of the ring: next is the oldest, prev the newest
	bytes    int
	limit    int
	recalled atomic.Uint64 // pages that were taken away
}

func (ps *pages) init(limit int) {
	ps.limit = limit
	ps.ends.next, ps.ends.prev = &ps.ends, &ps.ends
}

// add counts p, and takes the oldest ones away if there are too many: a peer that takes
// what it is sent has its page for no longer than a write takes. No lock is held.
func (ps *pages) add(p *page) {
	var old []*page
	ps.mu.Lock()
	for ps.bytes > 0 && ps.bytes+cap(p.buf) > ps.limit {
		first := ps.ends.next
		ps.removeLocked(first)
		old = append(old, first)
	}
	p.prev, p.next = ps.ends.prev, &ps.ends
	p.prev.next, p.next.prev = p, p
	p.held = true
	ps.bytes += cap(p.buf)
	ps.mu.Unlock()
	for _, p := range old {
		p.owner.recall(p)
	}
	ps.recalled.Add(uint64(len(old)))
}

// remove says that p is not needed any more.
func (ps *pages) remove(p *page) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	ps.removeLocked(p)
}

func (ps *pages) removeLocked(p *page) {
	if !p.held {
		return
	}
	p.held = false
	p.prev.next, p.next.prev = p.next, p.prev
	p.prev, p.next = nil, nil
	ps.bytes -= cap(p.buf)
}

// holds reports whether p was not taken away.
func (ps *pages) holds(p *page) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return p.held
}

// size returns the bytes of all pages.
func (ps *pages) size() int {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	return ps.bytes
}
