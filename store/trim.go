package store

import (
	"container/heap"
	"slices"
)

// An age is the room with the oldest message, as far as is known: seq was
// its oldest message when the age was set, and can only have grown since.
type age struct {
	seq  uint64
	room *room
}

// ages is a heap, the oldest first. It is looked at only once the buffer is
// full by bytes, and its entries are put right when they come to the top.
type ages []age

func (a ages) Len() int           { return len(a) }
func (a ages) Less(i, j int) bool { return a[i].seq < a[j].seq }
func (a ages) Swap(i, j int)      { a[i], a[j] = a[j], a[i] }
func (a *ages) Push(x any)        { *a = append(*a, x.(age)) }
func (a *ages) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	(*a)[last] = age{}
	*a = (*a)[:last]
	return x
}

// dropOldest takes the oldest message of a room out of the buffer. The file is
// cleaned of it later. The caller holds r.mu.
func (s *Store) dropOldest(r *room) {
	old := r.slots.pop()
	s.bytes.Add(-int64(old.cost))
	s.count.trimmed.Add(1)
	if r.pending.len() > r.slots.len() {
		e := r.pending.pop()
		e.trimmed.Store(true)
		s.count.unwritten.Add(1)
		if e.inFile {
			s.remove(r, e.seq, e.cost)
		}
	} else if old.seq != 0 {
		s.remove(r, old.seq, old.cost)
	}
	r.forget()
	r.prune(s.epochs.Load().oldest())
}

// trimCount drops what a room has beyond its share. The caller holds r.mu.
func (s *Store) trimCount(r *room) {
	for r.slots.len() > s.cfg.History {
		s.dropOldest(r)
	}
}

// watchAge puts a room that had no message into byAge. The caller has set
// r.aged, so that nobody else does.
func (s *Store) watchAge(r *room, seq uint64) {
	s.trimMu.Lock()
	defer s.trimMu.Unlock()
	heap.Push(&s.byAge, age{seq, r})
	if i := slices.Index(s.empty, r); i >= 0 {
		s.empty = slices.Delete(s.empty, i, i+1)
	}
}

// trimTo drops the oldest messages of all rooms until no more than limit bytes
// are left.
func (s *Store) trimTo(limit int64) {
	s.trimMu.Lock()
	defer s.trimMu.Unlock()
	for s.bytes.Load() > limit && len(s.byAge) > 0 {
		top := &s.byAge[0]
		r := top.room
		r.mu.Lock()
		switch {
		case r.slots.len() == 0:
			r.aged = false
		case r.slots.at(0).seq > top.seq:
			top.seq = r.slots.at(0).seq
			heap.Fix(&s.byAge, 0)
			r.mu.Unlock()
			continue
		default:
			s.dropOldest(r)
			r.aged = r.slots.len() > 0
		}
		aged := r.aged
		r.mu.Unlock()
		if !aged {
			heap.Pop(&s.byAge)
			s.empty = append(s.empty, r)
			s.note(r.name)
			s.forgetRooms()
		}
	}
}

// forgetRooms forgets the rooms that were the first to be empty, beyond
// RememberedRooms. The caller holds trimMu.
func (s *Store) forgetRooms() {
	n := len(s.empty) - s.cfg.RememberedRooms
	if n <= 0 {
		return
	}
	for _, r := range s.empty[:n] {
		s.roomsMu.Lock()
		r.mu.Lock()
		if r.slots.len() == 0 {
			r.gone = true
			delete(s.rooms, r.name)
			s.floor = max(s.floor, r.head)
			s.count.forgotten.Add(1)
			s.note(r.name)
		}
		r.mu.Unlock()
		s.roomsMu.Unlock()
	}
	s.empty = slices.Delete(s.empty, 0, n)
}

// note makes the committer look at the place of a room that has no message any
// more: it may never have had one in the file that would tell its head.
func (s *Store) note(name string) {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	s.emptied = append(s.emptied, name)
}

// oldest returns a sequence that nothing in the buffer is below; all ones if the
// buffer is empty.
func (s *Store) oldest() uint64 {
	s.trimMu.Lock()
	defer s.trimMu.Unlock()
	for len(s.byAge) > 0 {
		top := &s.byAge[0]
		top.room.mu.Lock()
		seq := top.seq
		if top.room.slots.len() > 0 {
			seq = max(seq, top.room.slots.at(0).seq)
		}
		top.room.mu.Unlock()
		if seq == top.seq {
			return seq
		}
		top.seq = seq
		heap.Fix(&s.byAge, 0)
	}
	return ^uint64(0)
}
