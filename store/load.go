package store

import (
	"hash/maphash"

	"edgechat/codec"
)

// load fills the empty store from a scan, and notes there what else is wrong.
// It returns whether the file was closed in order.
func (s *Store) load(sc *scan) (clean bool) {
	var st state
	if sc.state != nil {
		var err error
		if st, err = decodeState(sc.state); err != nil {
			sc.problem("state: %v", err)
		}
	}
	if found := sc.tally(); sc.state != nil && found != st.tally {
		sc.problem("%d of %d messages and %d of %d places", found.messages, st.tally.messages, found.places, st.tally.places)
	}
	s.floor = st.floor
	s.epochs.Store(&st.epochs)

	heads := make(map[*room]uint64, len(sc.places))
	for name, b := range sc.places {
		p, err := decodePlace(b)
		if err != nil || name == "" || len(name) > maxRoomName {
			sc.problem("place of room %q: %v", name, err)
			continue
		}
		r := &room{name: name, starts: p.starts, version: 1, recorded: 1}
		s.rooms[name] = r
		heads[r] = p.head
	}
	sc.each(func(seq uint64, rec *codec.Record, _ []byte) {
		s.seq = max(s.seq, seq)
		r := s.rooms[rec.Room]
		if r == nil {
			r = &room{name: rec.Room}
			s.rooms[rec.Room] = r
		}
		s.loadMessage(r, seq, rec, st.epochs)
	})
	for r, head := range heads {
		if head > r.head { // the newest were lost, or all have left the buffer
			s.skipTo(r, head)
			s.trimCount(r)
		}
	}
	for _, r := range s.rooms {
		if r.aged = r.slots.len() > 0; r.aged {
			s.watchAge(r, r.slots.at(0).seq)
		} else {
			s.empty = append(s.empty, r)
		}
	}
	s.trimMu.Lock()
	s.forgetRooms()
	s.trimMu.Unlock()
	s.trimTo(s.cfg.HistoryBytes)
	return st.clean
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
	r.add(e, seq, uint32(cost))
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
	n := s.seq>>epochShift + 1
	for _, r := range s.rooms {
		for _, st := range r.starts {
			n = max(n, st.n+1)
		}
	}
	return n
}

// openEpoch begins a new run of numbers.
func (s *Store) openEpoch(lossy bool, atLeast uint64) {
	next := s.epochs.Load().next(lossy, atLeast)
	s.epochs.Store(&next)
	s.queueMu.Lock()
	s.seq = max(s.seq, next.now().n<<epochShift)
	s.queueMu.Unlock()
}
