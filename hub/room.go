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
	run  func()    // flush and
	turn func()    // flushTurn, as values that are made once

	mu       sync.Mutex
	head     codec.ID
	logs     []*frameLog // by format; nil while no member uses it
	using    []int       // members by format
	members  []*Member   // in no order; each knows its place
	dirty    bool        // there is something that the flusher has not seen
	flushing bool        // the flusher runs, or is about to
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
			l.append(m.ID.Offset, func(dst []byte) []byte { return r.hub.cfg.Formats[i].Message(dst, m) })
		}
	}
	r.wakeLocked()
}

// announceLocked sends an event to everyone.
func (r *room) announceLocked(e *codec.Event) {
	for i, l := range r.logs {
		if l != nil {
			l.append(0, func(dst []byte) []byte { return r.hub.cfg.Formats[i].Event(dst, e) })
		}
	}
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
	m.place = len(r.members)
	r.members = append(r.members, m)
	m.pos = l.top
}

// removeLocked takes m out.
func (r *room) removeLocked(m *Member) {
	last := len(r.members) - 1
	moved := r.members[last]
	r.members[m.place] = moved
	moved.place = m.place
	r.members[last] = nil
	r.members = r.members[:last]
	if r.using[m.format]--; r.using[m.format] == 0 {
		r.logs[m.format] = nil
	}
	if r.flushing {
		r.dirty = true // the flusher may have passed the place that moved took
	}
}
