package hub

import (
	"time"

	"edgechat/codec"
)

// A Conn is where a member's frames go. It is a connection of package ws, or
// anything else that takes frames at its own pace.
type Conn interface {
	// Flush has the connection take what its Member has pending, without
	// waiting. It reports whether nothing is left.
	Flush() (done bool)
	// Later has f called at the end of the event-loop turn in which the
	// connection's handler runs, and once in each later turn while f returns
	// true. It reports whether there is such a turn. It is called where that
	// handler calls Join, Publish or Leave.
	Later(f func() (more bool)) bool
	// Close ends the connection with a close code of RFC 6455.
	Close(code uint16, reason string)
	// Pause stops the reading of the connection, whose input stays with the
	// kernel and its peer. Pauses are counted: a Resume ends one, and each of several rooms may
	// have its own. They may be called from any goroutine, and a Resume before its Pause.
	Pause()
	Resume()
}

// A Member is somebody in a room: a cursor. Pending and Wrote make it a Stream
// for its connection.
type Member struct {
	room     *room
	conn     Conn
	username string
	since    int64 // milliseconds since 1970
	format   uint8 // index of Config.Formats
	quiet    bool
	verified bool // its username is

	// Guarded by room.mu.
	paused  bool     // its connection is, by the gate
	place   int32    // in room.members; nowhere once it has left
	typed   int64    // when its typing was last passed on, milliseconds since 1970
	pos     uint64   // where it goes on in the room's log
	lent    *chunk   // of what Pending returned; it may have left the log since
	last    uint64   // offset of the last message that it has, or does without
	opening *opening // its replay has not begun: nothing is pending
	catchup *catchup // it goes on from the Log, and from pos only after that
	lag     *lag     // what the gate knows of it; nil while it is not far behind
}

// nowhere is the place of a member that has left.
const nowhere = -1

// gone reports whether m has left. The caller has room.mu.
func (m *Member) gone() bool { return m.place == nowhere }

// Username returns the name under which the member is in the room.
func (m *Member) Username() string { return m.username }

// Room returns the name of the room.
func (m *Member) Room() string { return m.room.name }

// Publish sends content to the room as m; author is who may change it. See Log.Append. It waits for nobody; if m is faster than
// those who read in the room, m's connection is paused until they have caught up.
func (m *Member) Publish(content string, author uint64, key string, done codec.Done) error {
	r := m.room
	r.hub.stats.published.Add(1)
	r.flusher.hold()
	defer m.published()
	return r.hub.cfg.Log.Append(r.name, codec.Message{
		Username: m.username, Verified: m.verified, Content: content, Time: time.Now().UnixMilli(), Author: author,
	}, key, done)
}

// Revise changes an earlier message of the room as m: x has the kind, the target, and what an edit makes of
// it. See Log.Revise, and Publish for how it waits.
func (m *Member) Revise(x codec.Message, claim codec.Claim, key string, done codec.Done) error {
	r := m.room
	r.hub.stats.published.Add(1)
	r.flusher.hold()
	defer m.published()
	x.Username, x.Verified, x.Time = m.username, m.verified, time.Now().UnixMilli()
	return r.hub.cfg.Log.Revise(r.name, x, claim, key, done)
}

// published has the room written what m has said, at the end of its turn. If the room
// is full, nothing more is read from m for now.
func (m *Member) published() {
	r := m.room
	r.mu.Lock()
	start, pause, full := r.flusher.releaseLocked(), r.gate.pauseLocked(m), r.unwalkedLocked(5, 8)
	r.mu.Unlock()
	if start {
		r.flusher.start(m.conn)
	}
	if pause {
		m.conn.Pause()
	}
	if full {
		r.relieve()
	}
}

// Typing tells the room that m is typing, at most once in Config.TypingInterval.
func (m *Member) Typing() {
	now := time.Now().UnixMilli()
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	if m.gone() || m.quiet {
		return
	}
	// A clock that was set back must not silence anyone.
	if d := now - m.typed; d >= 0 && d < m.room.hub.cfg.TypingInterval {
		m.room.hub.stats.typing.Add(1)
		return
	}
	m.typed = now
	m.room.announceLocked(&codec.Event{Type: codec.TypeTyping, Username: m.username, Verified: m.verified, Time: now})
}

// Leave takes m out of its room, announces it, and removes the room if it was the last. Only the
// first call does anything. The handler of m's connection calls it.
func (m *Member) Leave() { m.leave(m.conn) }

// Expel is Leave for a caller on any goroutine.
func (m *Member) Expel() { m.leave(nil) }

// leave is Leave in the turn of conn, or of nobody. It reports whether it was the first.
func (m *Member) leave(conn Conn) bool {
	r := m.room
	r.flusher.hold()
	r.mu.Lock()
	if m.gone() {
		r.flusher.held.Add(-1)
		r.mu.Unlock()
		return false
	}
	m.goLocked()
	if !m.quiet {
		r.announceLocked(&codec.Event{Type: codec.TypeLeft, Username: m.username, Verified: m.verified, Time: time.Now().UnixMilli()})
	}
	start := r.flusher.releaseLocked()
	r.mu.Unlock()
	if start {
		r.flusher.start(conn)
	}
	r.hub.release(r)
	return true
}

// goLocked takes m out of the room, which the caller lets go of then.
func (m *Member) goLocked() {
	if c := m.catchup; c != nil && c.page != nil {
		m.room.hub.pages.remove(c.page)
	}
	m.opening, m.catchup = nil, nil
	m.room.removeLocked(m)
}

func (m *Member) hasLeft() bool {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	return m.gone()
}

// Pending returns frames that m has not been written, or none. They stay as they are
// until Wrote. It is called by m's connection alone.
func (m *Member) Pending() []byte {
	r := m.room
	r.mu.Lock()
	p := m.pendingLocked()
	r.mu.Unlock() // not deferred: this is half of what a delivery costs beside the system call
	return p
}

func (m *Member) pendingLocked() []byte {
	if m.gone() || m.opening != nil {
		return nil
	}
	if m.catchup == nil {
		l := m.room.logs[m.format]
		if m.pos >= l.base() {
			if m.lent = l.at(m.pos); m.lent == nil {
				return nil
			}
			return m.lent.buf[m.pos-m.lent.start:]
		}
		m.room.hub.stats.lagged.Add(1)
		m.behindLocked(m.room.head)
		m.pos = l.top
		if m.lag != nil {
			m.room.gate.easedLocked(m)
		}
	}
	c := m.catchup
	if c.page == nil {
		c.askLocked(m)
		return nil
	}
	m.lent = &c.page.chunk
	return m.lent.buf[c.at:]
}

// Wrote says that n bytes of what Pending returned, whole frames, are written.
func (m *Member) Wrote(n int) {
	r := m.room
	r.mu.Lock()
	m.wroteLocked(n)
	r.mu.Unlock() // see Pending
}

func (m *Member) wroteLocked(n int) {
	if m.gone() {
		return
	}
	m.room.writes++
	lent, c, had := m.lent, m.catchup, m.last
	m.lent = nil
	switch {
	case c == nil:
		m.pos += uint64(n)
		m.last = lent.offsetAt(m.pos)
		if m.lag != nil {
			m.room.gate.easedLocked(m)
		}
	default:
		c.at += n
		m.last = lent.offsetAt(uint64(c.at))
		if c.at == len(lent.buf) && c.page != nil { // else it was recalled meanwhile
			m.room.hub.pages.remove(c.page)
			c.page = nil
		}
		if m.last >= c.target {
			m.catchup = nil
		}
	}
	if m.last > had {
		m.room.delivered += m.last - had
	}
}
