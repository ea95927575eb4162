package store

import "slices"

// dropOldest takes the oldest message of a room out of the buffer. The history is
// cleaned of it later. The caller holds r.mu.
func (s *Store) dropOldest(r *room) {
	old := r.slots.pop()
	if s.shed != nil && old.seq != 0 {
		s.shed[spot{r, r.about(r.oldest() - 1)}] = old.seq
	}
	r.unrevise(r.oldest() - 1)
	s.bytes.Add(-int64(old.cost))
	r.bytes -= int64(old.cost)
	s.count.trimmed.Add(1)
	if r.pending.len() > r.slots.len() {
		if e := r.pending.pop(); e != nil {
			e.displacer.Store(s.given.Load()) // whatever displaced it was given a number before
			e.trimmed.Store(true)
			if e.inFile {
				s.remove(r, e.seq, e.cost)
			}
		}
	} else if old.seq != 0 {
		s.remove(r, old.seq, old.cost)
	}
	r.forget()
	r.prune(s.epochs.Load().oldest())
}

// trimCount drops what a room has beyond Config.History. The caller holds r.mu.
func (s *Store) trimCount(r *room) {
	for r.slots.len() > s.cfg.History {
		s.dropOldest(r)
	}
}

// trimTo has the rooms that take the most give their oldest messages, until no more than limit
// bytes are left.
func (s *Store) trimTo(limit int64) { s.trim(limit, nil) }

// squeeze is trimTo where no message displaces what is given. It returns the sequence of the newest that each room gave.
func (s *Store) squeeze(limit int64) map[*room]uint64 {
	gave := make(map[*room]uint64)
	s.trim(limit, gave)
	return gave
}

func (s *Store) trim(limit int64, gave map[*room]uint64) {
	s.trimMu.Lock()
	defer s.trimMu.Unlock()
	for s.bytes.Load() > limit {
		r := s.shares.largest()
		if r == nil {
			return // there are no messages, and rooms alone take more
		}
		r.mu.Lock()
		// It is the largest by what is known of it; so it gives until it is smaller than that by an eighth, and
		// then its place is looked up again.
		least := r.share - r.share/8
		for r.bytes >= least && r.slots.len() > 0 && s.bytes.Load() > limit {
			if gave != nil {
				gave[r] = max(gave[r], r.slots.at(0).seq)
			}
			s.dropOldest(r)
		}
		emptied := r.slots.len() == 0
		if emptied {
			s.shares.leave(r)
		} else if r.bytes < least {
			s.shares.settle(r)
		}
		r.mu.Unlock()
		if emptied {
			s.empty = append(s.empty, r)
			s.forgetEmpty()
		}
	}
}

// forgetEmpty forgets the rooms that were the first to be empty, beyond
// RememberedRooms. The caller holds trimMu.
func (s *Store) forgetEmpty() {
	n := len(s.empty) - s.cfg.RememberedRooms
	if n <= 0 {
		return
	}
	for _, r := range s.empty[:n] {
		s.forgetRoom(r, func() bool { return r.slots.len() == 0 })
	}
	s.empty = slices.Delete(s.empty, 0, n)
}

// limitRooms forgets the rooms that have been silent longest, beyond Config.Rooms, with what they have.
func (s *Store) limitRooms() {
	s.roomsMu.RLock()
	n := len(s.rooms)
	s.roomsMu.RUnlock()
	if n <= s.cfg.Rooms {
		return
	}
	s.trimMu.Lock()
	defer s.trimMu.Unlock()
	for range n - s.cfg.Rooms {
		r := s.silent.longest()
		if r == nil {
			return
		}
		s.forgetRoom(r, func() bool {
			for r.slots.len() > 0 {
				s.dropOldest(r)
			}
			return true
		})
		if i := slices.Index(s.empty, r); i >= 0 {
			s.empty = slices.Delete(s.empty, i, i+1)
		}
	}
}

// forgetRoom forgets a room if ready says so, which is called with its mutex. The caller holds
// trimMu.
func (s *Store) forgetRoom(r *room, ready func() bool) {
	s.roomsMu.Lock()
	defer s.roomsMu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone.Load() || !ready() {
		return
	}
	r.gone.Store(true)
	s.shares.leave(r)
	delete(s.rooms, r.name)
	s.bytes.Add(-costOfRoom(r.name))
	if !s.cfg.Follow { // else the log that is followed knows where the room goes on
		s.floor = max(s.floor, r.head)
	}
	s.count.forgotten.Add(1)
	s.silent.prune(len(s.rooms))
	if r.recorded > 0 { // else the history knows no place of it
		s.queueMu.Lock()
		s.forgotten = append(s.forgotten, r.name)
		s.queueMu.Unlock()
	}
}

// oldest returns a sequence that nothing in the buffer is below; all ones if the
// buffer is empty.
func (s *Store) oldest() uint64 {
	least := ^uint64(0)
	for _, r := range s.allRooms() {
		r.mu.Lock()
		for i := range r.slots.len() {
			if seq := r.slots.at(i).seq; seq != 0 {
				least = min(least, seq)
				break
			}
		}
		r.mu.Unlock()
	}
	return least
}

// RoomNames returns the names of all rooms of which something is kept, in no order.
func (s *Store) RoomNames() []string {
	list := s.allRooms()
	names := make([]string, len(list))
	for i, r := range list {
		names[i] = r.name
	}
	return names
}

func (s *Store) allRooms() []*room {
	s.roomsMu.RLock()
	defer s.roomsMu.RUnlock()
	rooms := make([]*room, 0, len(s.rooms))
	for _, r := range s.rooms {
		rooms = append(rooms, r)
	}
	return rooms
}
