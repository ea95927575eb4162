package store

import (
	"hash/maphash"

	"edgechat/codec"
)

// load fills the empty store from a scan, and notes there what else is wrong.
//
// The places come later, with finishLoad: what they say is behind what the log has.
func (s *Store) load(sc *scan, st state) (places map[*room]place) {
	if found := sc.tally(); st.epochs != nil && found != st.tally {
		sc.problem("%d of %d messages and %d of %d places", found.messages, st.tally.messages, found.places, st.tally.places)
	}
	if !s.cfg.Follow {
		s.floor = st.floor
	}
	s.epochs.Store(&st.epochs)

	places = make(map[*room]place, len(sc.places))
	for name, b := range sc.places {
		p, err := decodePlace(b)
		if err != nil || name == "" || len(name) > maxRoomName {
			sc.problem("place of room %q: %v", name, err)
			continue
		}
		r := s.addRoom(name, 0)
		r.starts, r.version, r.recorded = p.starts, 1, 1
		r.left, places[r] = p.left, p
	}
	sc.each(func(seq uint64, rec *codec.Record, _ []byte) {
		s.given.Store(max(s.given.Load(), seq))
		r := s.rooms[rec.Room]
		if r == nil {
			r = s.addRoom(rec.Room, 0)
		}
		s.loadMessage(r, seq, rec, st.epochs)
	})
	return places
}

// finishLoad applies the places of the history, and puts all in order.
func (s *Store) finishLoad(places map[*room]place) {
	s.loseBare()
	for r, p := range places {
		for r.slots.len() > 0 && r.oldest() < p.left {
			s.dropOldest(r)
		}
		if p.head > r.head { // the newest were lost, or all have left the buffer
			s.skipTo(r, p.head)
			s.trimCount(r)
		}
	}
	for _, r := range s.rooms {
		r.logged = r.head
		if s.rankRoom(r); r.slots.len() == 0 {
			s.empty = append(s.empty, r)
		}
	}
	s.trimMu.Lock()
	s.forgetEmpty()
	s.trimMu.Unlock()
	s.limitRooms()
	s.trimTo(s.cfg.HistoryBytes)
}

// loadMessage adds a message of the file to its room.
func (s *Store) loadMessage(r *room, seq uint64, rec *codec.Record, es epochs) {
	id := rec.Message.ID
	if id.Offset <= r.head {
		return // what a salvage found of a run of numbers that was replaced
	}
	s.skipTo(r, id.Offset-1)
	e, known := es.find(id.Epoch)
	if !known {
		e = epoch{name: id.Epoch}
	}
	cost := costOf(rec.Room, &rec.Message, rec.Key)
	s.supersede(r, &rec.Message)
	if rec.Superseded {
		s.bare = append(s.bare, spot{r, id.Offset})
	}
	r.add(e, seq, &rec.Message, uint32(cost))
	s.bytes.Add(cost)
	if rec.Key != "" {
		r.remember(maphash.String(s.seed, rec.Key))
	}
	s.trimCount(r)
}

// skipTo makes head the newest offset of r, and leaves a hole for each that is
// not there: it was lost, or left the buffer before it was written.
func (s *Store) skipTo(r *room, head uint64) {
	if r.slots.len() > 0 && head-r.head < uint64(s.cfg.History) {
		for r.head < head {
			r.head++
			r.slots.push(slot{})
			if r.pending.len() > 0 {
				r.pending.push(nil) // which stand for the last of the slots
			}
		}
	}
	for r.head < head && r.slots.len() > 0 { // a gap that is wider than the buffer
		s.dropOldest(r)
	}
	r.head = head
}

// numbered returns the least n that the next epoch may have, whatever became of the
// state: sequences and starts remember it too.
func (s *Store) numbered() uint64 {
	n := s.given.Load()>>epochShift + 1
	for _, r := range s.rooms {
		for _, st := range r.starts {
			n = max(n, st.n+1)
		}
	}
	return n
}

// loadLogged adds a message of the log. What is missing in front of it left the buffer before it was
// written, and with it all that is older, if the log is closed there; else it is lost.
func (s *Store) loadLogged(m *loggedMessage, closed bool) {
	id := m.rec.Message.ID
	if m.rec.Room == "" || len(m.rec.Room) > maxRoomName || id.Offset == 0 {
		return
	}
	r := s.rooms[m.rec.Room]
	if r == nil {
		r = s.addRoom(m.rec.Room, 0)
	}
	s.given.Store(max(s.given.Load(), m.seq))
	if id.Offset <= r.head {
		return
	}
	if closed && id.Offset > r.head+1 {
		s.clearTo(r, id.Offset-1)
		s.queueMu.Lock()
		s.tellLaterLocked(r, m.seq)
		s.queueMu.Unlock()
	}
	s.skipTo(r, id.Offset-1)
	e := &entry{seq: m.seq, room: r, msg: m.rec.Message, key: m.rec.Key}
	e.cost = uint32(costOf(r.name, &e.msg, e.key))
	known, ok := s.epochs.Load().find(id.Epoch)
	if !ok {
		known = epoch{name: id.Epoch}
	}
	if e.replaces = s.supersede(r, &e.msg); e.replaces == 0 && e.msg.Kind != codec.Said {
		// It was in the buffer when it was revised, and is in the history for now.
		e.replaces = s.shed[spot{r, e.msg.Target.Offset}]
	}
	r.add(known, e.seq, &e.msg, e.cost)
	r.pending.push(e)
	s.bytes.Add(int64(e.cost))
	if e.key != "" {
		r.remember(maphash.String(s.seed, e.key))
	}
	s.recent = append(s.recent, e)
	s.trimCount(r)
}

// loadPlace adds what the log says of a room of which messages left the buffer before they were written.
// The batch that tells it ends at the sequence last.
func (s *Store) loadPlace(name string, p place, last uint64, closed bool) {
	r := s.rooms[name]
	if r == nil {
		r = s.addRoom(name, 0)
	}
	behind := p.head > r.head
	switch {
	case !behind && (!closed || r.left >= p.left):
		return
	case closed && behind:
		s.clearTo(r, p.head)
	case closed:
		s.clearTo(r, p.left-1)
	}
	if behind {
		s.skipTo(r, p.head)
		s.trimCount(r)
		r.starts = p.starts
		r.version++
	}
	s.queueMu.Lock()
	r.passed, r.placed = max(r.passed, p.head), max(r.placed, p.head)
	s.tellLaterLocked(r, last)
	s.queueMu.Unlock()
}

// clearTo takes what a room has up to this offset out of the buffer, and goes on behind that.
func (s *Store) clearTo(r *room, offset uint64) {
	for r.slots.len() > 0 && r.oldest() <= offset {
		s.dropOldest(r)
	}
	r.head = max(r.head, offset)
	r.leave(offset + 1)
}
