package hub

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"edgechat/codec"
)

// A Join says who wants to be in a room, and from where on.
type Join struct {
	Username string
	Verified bool // as codec.Message.Verified
	Format   int  // index of Config.Formats
	// Quiet has nobody hear of it: no joined, left and typing, and no place among
	// those who are in the room.
	Quiet bool
	// Replay asks for what is in the buffer: the newest Limit messages after Since, or of all
	// if Since is nil. Limit 0 is no limit.
	Replay bool
	Since  *codec.ID
	Limit  int
}

// Joined is where a new member stands.
type Joined struct {
	Head      codec.ID // newest message; what has a greater offset comes live
	Oldest    codec.ID // oldest message in the buffer; zero while that is empty
	Recovered bool     // nothing is missing between Join.Since and the first message
	Members   int      // in the room, the new one included if it is not quiet
}

// An opening is a join whose replay has not begun.
type opening struct {
	join   Join
	joined Joined
	ready  func(Joined, error)
}

// ErrFull: the room has as many members as it may. See Config.MembersPerRoom.
var ErrFull = errors.New("hub: the room is full")

// Full reports whether a room has as many members as it may, so that who wants to join can be refused
// before he is connected, and counts him as refused then. He may find it full all the same.
func (h *Hub) Full(roomName string) bool {
	r := h.find(roomName)
	if r == nil || h.cfg.MembersPerRoom <= 0 {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	full := r.fullLocked()
	if full {
		h.stats.full.Add(1)
	}
	return full
}

func (r *room) fullLocked() bool {
	most := r.hub.cfg.MembersPerRoom
	return most > 0 && len(r.members) >= most
}

// Known reports whether somebody is in a room, or has ever said something there.
func (h *Hub) Known(roomName string) bool {
	return h.find(roomName) != nil || h.cfg.Log.Head(roomName).Offset > 0
}

// Join puts a member into a room and announces it. It waits for nothing.
//
// ready is called once, unless the member leaves before: by Join itself without a replay,
// else from another goroutine once the first page was read. The member has nothing
// pending before ready has returned, so that what ready sends comes first. It must
// not block. An error is that of the Log, or ErrFull, which Join itself says: the member has left then. nil is nobody
// who wants to know.
//
// Nothing is written until conn has the Member as its stream. A conn may have several, of
// several rooms. Replay and live messages meet without a gap or a duplicate: the cursor and the
// head are taken under one lock, messages up to the head come from the Log and
// those after it from the cursor.
func (h *Hub) Join(roomName string, conn Conn, join Join, ready func(Joined, error)) *Member {
	if ready == nil {
		ready = func(Joined, error) {}
	}
	now := time.Now().UnixMilli()
	r := h.acquire(roomName)
	m := &Member{room: r, conn: conn, format: uint8(join.Format), quiet: join.Quiet, verified: join.Verified, username: strings.Clone(join.Username), since: now}
	r.flusher.hold()
	r.mu.Lock()
	if r.fullLocked() {
		m.place = nowhere
		start := r.flusher.releaseLocked()
		r.mu.Unlock()
		if start {
			r.flusher.start(conn)
		}
		h.release(r)
		h.stats.full.Add(1)
		ready(Joined{}, ErrFull)
		return m
	}
	r.addLocked(m)
	m.last = r.head.Offset
	joined := Joined{Head: r.head, Members: len(r.members) - r.quiet + r.hub.abroad.count(roomName)}
	if join.Replay {
		m.opening = &opening{join, joined, ready}
	}
	if !m.quiet {
		r.announceLocked(&codec.Event{Type: codec.TypeJoined, Username: m.username, Verified: m.verified, Time: now})
	}
	start := r.flusher.releaseLocked()
	r.mu.Unlock()
	if start {
		r.flusher.start(conn)
	}
	h.stats.joins.Add(1)

	if join.Replay {
		h.ask(m)
	} else {
		joined.Oldest, joined.Recovered = h.cfg.Log.Oldest(roomName), join.Since == nil
		ready(joined, nil)
	}
	return m
}

// open is a loader's: it finds where the replay of m begins, reads the first page, and
// lets m begin.
func (m *Member) open(o *opening, into *scratch) {
	r := m.room
	w, err := r.hub.look(r.name, codec.Query{After: o.join.Since, Limit: o.join.Limit, Newest: true}, o.joined.Head.Offset)
	rd := r.hub.newReader(r.name, w)
	var p *page
	var lacks missing
	if err == nil {
		p, lacks, err = m.read(&rd, into)
	}
	if err != nil {
		if m.leave(nil) {
			o.ready(Joined{}, fmt.Errorf("hub: replay of room %q: %w", r.name, err))
		}
		return
	}
	o.joined.Oldest, o.joined.Recovered = w.oldest, w.recovered && lacks == nothing
	last := w.first - 1
	if lacks == trimmed {
		o.joined.Oldest = rd.oldest
		last = max(rd.oldest.Offset, 1) - 1
	}
	if m.hasLeft() {
		return
	}
	if o.join.Since != nil {
		if o.joined.Recovered {
			r.hub.stats.recovered.Add(1)
		} else {
			r.hub.stats.gaps.Add(1)
		}
	}
	o.ready(o.joined, nil)
	c := &catchup{reader: rd, target: o.joined.Head.Offset, told: o.join.Since == nil || !o.joined.Recovered, asked: true}
	r.mu.Lock()
	m.opening, m.catchup, m.last = nil, c, last
	r.mu.Unlock()
	m.give(c, p, rd)
}
