package hub

import (
	"strings"
	"sync"
	"time"

	"edgechat/codec"
)

// A room is live while somebody is in it.
type room struct {
	hub  *Hub
	name string
	refs int       // members and those about to be; guarded by the stripe
	load sync.Once // reads head from the Log

	mu        sync.Mutex
	head      codec.ID
	logs      []*frameLog    // by format; nil while no member uses it
	using     []int          // members by format
	members   []*Member      // each knows its place
	quiet     int            // of members that are
	listed    []codec.Member // what Members returned; nil once somebody has come or gone since
	moves     uint64         // how often somebody has come or gone
	writes    uint64         // see Stats
	delivered uint64         // see Stats
	cuts      uint64         // see cut
	flusher   flusher        // writes them what is new
	gate      gate           // slows publishers
	news      chan struct{}  // closed with the next message; nil if nobody awaits it
	cooler    *time.Timer    // runs cool while there are chunks that may not be needed any more
	cooling   bool           // cooler is set
	warm      uint64         // what positions returned when it was set
}

func newRoom(h *Hub, name string) *room {
	n := len(h.cfg.Formats)
	r := &room{hub: h, name: strings.Clone(name), logs: make([]*frameLog, n), using: make([]int, n)}
	r.flusher.init(r)
	r.gate.room = r
	return r
}

// loadHead takes over where the Log is. A message that was numbered before and
// is delivered only now is part of what Head says, and must not count as live.
func (r *room) loadHead() {
	for {
		r.mu.Lock()
		cuts := r.cuts
		r.mu.Unlock()
		head := r.hub.cfg.Log.Head(r.name)
		r.mu.Lock()
		same := cuts == r.cuts
		if same && head.Offset >= r.head.Offset {
			r.head = head
		}
		r.mu.Unlock()
		if same { // else it may be of before the cut
			return
		}
	}
}

func (r *room) deliver(m *codec.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.ID.Offset <= r.head.Offset {
		return
	}
	r.head = m.ID
	r.toldLocked()
	for i, l := range r.logs {
		if l != nil {
			l.append(m.ID.Offset, func(dst []byte) []byte { return r.hub.cfg.Formats[i].Message(dst, r.name, m) })
		}
	}
	r.gate.lookLocked()
	r.flusher.newsLocked(true, 1)
}

// addLocked puts m in, with its cursor at the top.
func (r *room) addLocked(m *Member) {
	l := r.logs[m.format]
	if l == nil {
		l = &frameLog{last: r.head.Offset, limit: r.hub.cfg.LogBytes}
		r.logs[m.format] = l
	}
	r.using[m.format]++
	if m.quiet {
		r.quiet++
	}
	r.listed = nil
	r.moves++
	m.place = int32(len(r.members))
	r.members = append(r.members, m)
	m.pos = l.top
}

// removeLocked takes m out. If the flusher has been to m, one that it has been
// to takes the place, and the last one of all the place of that: nobody comes
// to where the walk has passed.
func (r *room) removeLocked(m *Member) {
	r.listed = nil
	r.moves++
	hole := int(m.place)
	m.place = nowhere
	if hole < r.flusher.at {
		r.flusher.at--
		r.moveLocked(r.flusher.at, hole)
		hole = r.flusher.at
	}
	last := len(r.members) - 1
	r.moveLocked(last, hole)
	r.members[last] = nil
	r.members = r.members[:last]
	if m.quiet {
		r.quiet--
	}
	if r.using[m.format]--; r.using[m.format] == 0 {
		r.logs[m.format] = nil
	}
	r.gate.leftLocked(m)
	if last == 0 {
		r.hub.stats.writes.Add(r.writes)
		r.hub.stats.delivered.Add(r.delivered)
		r.writes, r.delivered = 0, 0
		r.flusher.stopLocked()
		if r.cooler != nil { // a timer would keep the room for a while
			r.cooler.Stop()
		}
	}
}

func (r *room) moveLocked(from, to int) {
	if from != to { // else who was there has moved, or leaves
		r.members[to] = r.members[from]
		r.members[to].place = int32(to)
	}
}

// forgetLocked drops what all members have.
func (r *room) forgetLocked() {
	if !r.allTakenLocked() {
		return
	}
	for _, l := range r.logs {
		if l != nil {
			l.taken()
		}
	}
	r.coolLocked()
}

func (r *room) allTakenLocked() bool {
	for _, m := range r.members {
		if m.catchup != nil || m.pos != r.logs[m.format].top {
			return false
		}
	}
	return true
}

// walkedLocked says that a walk begins, which sees to all there is.
func (r *room) walkedLocked() {
	for _, l := range r.logs {
		if l != nil {
			l.walked = l.top
		}
	}
}

// unwalkedLocked reports whether a log has more that no walk has seen to than
// n parts in all of what it may hold.
func (r *room) unwalkedLocked(n, all int) bool {
	for _, l := range r.logs {
		if l != nil && l.top-l.walked > uint64(l.limit*n/all) {
			return true
		}
	}
	return false
}
