package hub

import (
	"bytes"

	"edgechat/codec"
	"edgechat/refusal"
)

// A catchup is how a member that is behind goes on from the Log, up to a
// target, from where it goes on from its cursor in the room's log. room.mu guards it.
//
//	        Pending            a loader has read
//	(none) ---------> asked ---------------------> page
//	   ^                                             |
//	   +---------------------------------------------+
//	       all of it is written, or it was recalled
//
// It ends when what was written reaches target.
type catchup struct {
	reader
	target uint64
	told   bool  // that something is missing was said, or nothing was promised
	asked  bool  // a loader was asked for a page
	page   *page // what it brought, nil if that is written
	at     int   // how much of the page is written
}

// behindLocked has m go on from the Log, from m.last up to target.
func (m *Member) behindLocked(target codec.ID) {
	m.catchup = &catchup{
		reader: m.room.hub.newReader(m.room.name, window{head: target, first: m.last + 1, last: target.Offset}),
		target: target.Offset,
	}
}

// askLocked has the next page read, unless it is about to be.
func (c *catchup) askLocked(m *Member) {
	if !c.asked {
		c.asked = true
		m.room.hub.ask(m)
	}
}

// load is a loader's work for m: the first page of a replay, or the next.
func (m *Member) load(into *scratch) {
	r := m.room
	r.mu.Lock()
	c, opening := m.catchup, m.opening
	if m.gone() {
		r.mu.Unlock()
		return
	}
	if opening != nil {
		r.mu.Unlock()
		m.open(opening, into)
		return
	}
	c.next, c.epoch = m.last+1, r.head.Epoch // a page that was recalled is read again
	rd := c.reader
	r.mu.Unlock()

	p, what, err := m.read(&rd, into)
	if err != nil || what == trimmed || what == damaged && !c.told {
		m.lose(err)
		return
	}
	m.give(c, p, rd)
}

// give lets m have the page p, or nothing if there is no more. What rd has learnt of the
// size of messages is kept.
func (m *Member) give(c *catchup, p *page, rd reader) {
	r := m.room
	if p != nil {
		r.hub.pages.add(p)
	}
	r.mu.Lock()
	c.asked, c.step = false, rd.step
	switch {
	case m.gone():
		if p != nil {
			r.hub.pages.remove(p)
		}
	case p != nil && r.hub.pages.holds(p):
		c.page, c.at = p, 0
	case p == nil:
		m.last = c.target
		m.catchup = nil
	}
	r.mu.Unlock()
	m.conn.Flush()
}

// read makes the next page from the Log, nil at the end of it. It is put together in a scratch, and is as large as what it holds.
func (m *Member) read(rd *reader, into *scratch) (p *page, what missing, err error) {
	message, name := m.room.hub.cfg.Formats[m.format].Message, m.room.name
	buf := into.buf[:0]
	defer func() {
		into.keep(buf)
		if p != nil {
			p.buf = bytes.Clone(buf)
		}
	}()
	for (p == nil || len(buf) < pageBytes) && !rd.ended() {
		messages, lacks, err := rd.read(pageBytes - len(buf))
		if err != nil {
			return nil, what, err
		}
		if lacks == trimmed && p != nil {
			return p, what, nil // the next page finds that too
		}
		what = max(what, lacks)
		for i := range messages {
			next := &messages[i]
			switch {
			case p == nil:
				p = &page{owner: m, chunk: chunk{before: next.ID.Offset - 1}}
			case len(buf) > pageBytes:
				rd.unread(next)
				return p, what, nil
			}
			buf = message(buf, name, next)
			p.marks = append(p.marks, mark{uint32(len(buf)), uint32(next.ID.Offset - p.before)})
		}
	}
	return p, what, nil
}

// lose closes m's connection: the Log no longer has what it missed. It may come back
// with its cursor, and is told so then: never a silent gap. If m has left meanwhile nothing is lost: its
// connection goes on in other rooms.
func (m *Member) lose(err error) {
	if m.hasLeft() {
		return
	}
	h := m.room.hub
	if err != nil {
		h.cfg.Logger.Error("replay failed", "room", m.room.name, "user", m.username, "err", err)
	}
	h.stats.lost.Add(1)
	m.conn.Close(refusal.CloseTryAgainLater, "too far behind: come back and continue from the last message seen")
}

// recall takes p, which pages has given up, away from m. If a write of it is
// under way, that goes on.
func (m *Member) recall(p *page) {
	m.room.mu.Lock()
	defer m.room.mu.Unlock()
	if c := m.catchup; c != nil && c.page == p {
		c.page = nil
	}
}
