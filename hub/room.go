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
	refs int         // members and those about to be; guarded by the stripe
	load sync.Once   // reads head from the Log
	run  func()      // flush and
	turn func() bool // flushTurn, as values that are made once

	mu       sync.Mutex
	head     codec.ID
	logs     []*frameLog // by format; nil while no member uses it
	using    []int       // members by format
	members  []*Member   // each knows its place; those before at have been walked to
	quiet    int         // of members that are
	at       int         // how far the flusher's walk is; 0 between walks
	dirty    bool        // there is something that the flusher has not seen
	urgent   bool        // and it is no event, or too many of them
	fresh    int         // messages among it
	flushing bool        // the flusher runs, or is about to
	rested   time.Time   // when the next walk may be made for events alone
	breathed time.Time   // when the next may be made for messages
	pause    *time.Timer // runs resume; nil before it was needed
	pausing  bool        // it is set
	paused   time.Time   // for when
	held     int         // publishers that will see to the flusher
	cooler   *time.Timer // runs cool while there are chunks that may not be needed any more
	cooling  bool        // cooler is set
	warm     uint64      // what positions returned when it was set
}

func newRoom(h *Hub, name string) *room {
	n := len(h.cfg.Formats)
	r := &room{hub: h, name: strings.Clone(name), logs: make([]*frameLog, n), using: make([]int, n)}
	r.run, r.turn = r.flush, r.flushTurn
	return r
}

// loadHead takes over where the Log is. A message that was numbered before and
// is delivered only now is part of what Head says, and must not count as live.
func (r *room) loadHead() {
	head := r.hub.cfg.Log.Head(r.name)
	r.mu.Lock()
	defer r.mu.Unlock()
	if head.Offset >= r.head.Offset {
		r.head = head
	}
}

func (r *room) deliver(m *codec.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m.ID.Offset <= r.head.Offset {
		return
	}
	r.head = m.ID
	for i, l := range r.logs {
		if l != nil {
			l.append(m.ID.Offset, func(dst []byte) []byte { return r.hub.cfg.Formats[i].Message(dst, r.name, m) })
		}
	}
	r.urgent = true
	r.fresh++
	r.wakeLocked()
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
	m.place = len(r.members)
	r.members = append(r.members, m)
	m.pos = l.top
}

// removeLocked takes m out. If the flusher has been to m, one that it has been
// to takes the place, and the last one of all the place of that: nobody comes
// to where the walk has passed.
func (r *room) removeLocked(m *Member) {
	hole := m.place
	if hole < r.at {
		r.at--
		r.moveLocked(r.at, hole)
		hole = r.at
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
	if last == 0 {
		r.stopLocked()
	}
}

func (r *room) moveLocked(from, to int) {
	if from != to { // else who was there has moved, or leaves
		r.members[to] = r.members[from]
		r.members[to].place = to
	}
}
