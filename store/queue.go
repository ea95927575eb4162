package store

import (
	"cmp"
	"slices"
	"time"

	"edgechat/codec"
)

// A wait is somebody who wants to know when the message seq is on disk.
type wait struct {
	seq       uint64
	displaced bool // it was passed over: what displaced it has to be on disk
	id        codec.ID
	done      func(codec.Receipt)
}

// What left the buffer before it was written is passed over, but its receipt says that what displaced it is on
// disk. That may have been displaced itself by then, and so on; so it is not enough to wait for
// one sequence. Instead the store fixes a target, the newest sequence of that moment, and
// passes over what was displaced by sequences up to the target alone, until the log holds everything up to
// it. Then it is closed: each that was passed over has, at the end of its chain of displacers, one
// that is in the log. All receipts of what was displaced are told at such a point, and the next
// target is fixed. While a queue fits into one commit, each commit is such a point.
//
// What is said meanwhile and displaced before it was written need not be kept either, or a queue would grow with what is said while
// a target is reached. It is dropped, and counts as passed over from the next target on (Store.later); until
// then commits end at the target, so that the log is closed there. If the disk takes nothing at all there
// is no target to be reached, and a new one is fixed each time.

const (
	chunksPerCommit = 4    // times CommitBytes is the most that one commit takes, or a quarter of half the log
	compactQueueAt  = 4096 // entries, at least
	slabSize        = 16   // entries that are allocated at a time; the last to go frees them all
)

// enqueue makes an entry with the next sequence and hands it to the committer.
// The caller holds the lock of r, so that sequences ascend with offsets.
func (s *Store) enqueue(r *room, a *arrival) (*entry, error) {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	if s.closed.Load() {
		return nil, ErrClosed
	}
	if len(s.slab) == 0 {
		s.slab = make([]entry, slabSize)
	}
	e := &s.slab[0]
	s.slab = s.slab[1:]
	if e.seq = a.seq; e.seq == 0 {
		e.seq = s.given.Add(1)
	} else {
		s.given.Store(e.seq)
	}
	e.room, e.msg, e.key, e.cost, e.replaces = r, a.msg, a.key, uint32(a.size), a.replaces
	if len(s.queue) == 0 {
		s.queuedSince = time.Now()
		s.signal()
	} else if len(s.queue) >= s.compactAt {
		s.compactLocked()
	}
	s.queue = append(s.queue, e)
	before := s.queueBytes
	s.queueBytes += int(e.cost)
	if before < s.cfg.CommitBytes && s.queueBytes >= s.cfg.CommitBytes {
		s.signal()
	}
	if a.done != nil {
		s.awaitLocked(e.seq, e.msg.ID, a.done)
	}
	return e, nil
}

// awaitLocked sends a receipt for id once everything up to seq is on disk.
func (s *Store) awaitLocked(seq uint64, id codec.ID, done func(codec.Receipt)) {
	degraded := s.fault.Load() != nil
	if degraded || len(s.waits) >= s.cfg.MaxWaiting {
		if !degraded {
			s.count.refused.Add(1)
		}
		s.receipts.add(receipt{done, codec.Receipt{ID: id}})
		return
	}
	s.waits = append(s.waits, wait{seq: seq, id: id, done: done})
	if len(s.waits) == 1 {
		s.signal()
	}
}

// signal wakes the committer, which looks at everything again.
func (s *Store) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// aimLocked fixes a target.
func (s *Store) aimLocked() {
	s.target, s.atTarget = s.given.Load(), len(s.removals)
	for r, passed := range s.later {
		s.passLocked(r, passed)
	}
	clear(s.later)
}

// stuckLocked says that the disk takes nothing. A target that moves puts off the point at which receipts of
// what was displaced are told, and nothing else.
func (s *Store) stuckLocked() bool {
	began := s.commitBegan.Load()
	return s.fault.Load() != nil || began != 0 && time.Since(s.opened)-time.Duration(began) > s.cfg.StallAfter
}

// compactLocked drops entries that left the buffer, so that what is said faster than the disk takes it does
// not make the queue longer than twice the buffer is, or once if the disk takes nothing.
func (s *Store) compactLocked() {
	if s.settled >= s.target || s.stuckLocked() {
		s.aimLocked()
	}
	kept := s.queue[:0]
	s.queueBytes = 0
	gone := func(r *room) bool { return r.gone.Load() }
	s.untold, s.told = slices.DeleteFunc(s.untold, gone), slices.DeleteFunc(s.told, gone)
	var passed, later []*entry
	for _, e := range s.queue {
		if e.displaced(s.target) {
			passed = append(passed, e)
			continue
		}
		if e.seq > s.target && e.trimmed.Load() {
			later = append(later, e)
			continue
		}
		kept = append(kept, e)
		s.queueBytes += int(e.cost)
	}
	clear(s.queue[len(kept):])
	s.queue = kept
	s.compactAt = max(compactQueueAt, 2*len(kept))
	s.passOverLocked(passed)
	s.dropLocked(later)
	for _, e := range later {
		s.later[e.room] = max(s.later[e.room], e.msg.ID.Offset)
	}
}

// passOverLocked notes that these, in order, will not be written.
func (s *Store) passOverLocked(list []*entry) {
	s.dropLocked(list)
	for _, e := range list {
		s.passLocked(e.room, e.msg.ID.Offset)
	}
}

// passLocked has the log tell that what a room had up to this offset left the buffer.
func (s *Store) passLocked(r *room, offset uint64) {
	r.passed = max(r.passed, offset)
	if !r.untold && !r.gone.Load() {
		r.untold = true
		s.untold = append(s.untold, r)
	}
}

// dropLocked has who waits for these, in order, wait for what displaced them.
func (s *Store) dropLocked(list []*entry) {
	s.count.unwritten.Add(uint64(len(list)))
	if len(list) == 0 {
		return
	}
	for i := range s.waits {
		_, ok := slices.BinarySearchFunc(list, s.waits[i].seq, func(e *entry, seq uint64) int { return cmp.Compare(e.seq, seq) })
		s.waits[i].displaced = s.waits[i].displaced || ok
	}
	for _, e := range list {
		if e.replaces != 0 {
			s.replaceLocked(replacement{seq: e.replaces, displacer: e.displacer.Load()})
		}
	}
}

// take moves the oldest of the queue into batch, as much as one commit may hold,
// and returns the last sequence that is settled when they are written.
func (s *Store) take(batch []*entry) ([]*entry, uint64) {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	if s.settled >= s.target {
		s.aimLocked()
	}
	end := ^uint64(0)
	if len(s.later) > 0 {
		end = s.target
	}
	var passed []*entry
	n, bytes, most := 0, 0, s.mostPerCommit()
	for n < len(s.queue) && bytes < most && s.queue[n].seq <= end {
		e := s.queue[n]
		n++
		s.queueBytes -= int(e.cost)
		// A revision is written all the same: until a checkpoint the history has what it took away.
		if e.msg.Kind == codec.Said && e.displaced(s.target) {
			passed = append(passed, e)
			continue
		}
		bytes += int(e.cost)
		batch = append(batch, e)
	}
	settled := s.given.Load()
	if n < len(s.queue) {
		settled = s.queue[n].seq - 1
	}
	settled = min(settled, end)
	// What is left moves to the front, so that the array is used again.
	rest := copy(s.queue, s.queue[n:])
	clear(s.queue[rest:])
	s.queue = s.queue[:rest]
	s.passOverLocked(passed)
	return batch, settled
}

func (s *Store) mostPerCommit() int {
	return min(chunksPerCommit*s.cfg.CommitBytes, int(s.cfg.LogBytes/8))
}

// untake puts a batch that could not be written back to the front.
func (s *Store) untake(batch []*entry) {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	s.queue = append(append(make([]*entry, 0, len(batch)+len(s.queue)), batch...), s.queue...)
	s.compactLocked()
}

// settle notes that the log holds batch, and with it everything up to seq, and tells all that
// waited for that.
func (s *Store) settle(batch []*entry, seq uint64) {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	s.settled = seq
	s.recent = append(s.recent, batch...)
	s.soiledLocked(batch)
	closed := seq >= s.target
	if closed {
		s.closedAt = seq
		s.released = append(s.released, s.removals[:s.atTarget]...)
		rest := copy(s.removals, s.removals[s.atTarget:])
		clear(s.removals[rest:])
		s.removals, s.atTarget = s.removals[:rest], 0
	}
	s.tellLocked(true, func(w wait) bool { return w.seq <= seq && (!w.displaced || closed) })
}

// tellLocked sends the receipts of all whose wait is over.
func (s *Store) tellLocked(durable bool, over func(w wait) bool) {
	kept := s.waits[:0]
	for _, w := range s.waits {
		if !over(w) {
			kept = append(kept, w)
			continue
		}
		s.receipts.add(receipt{w.done, codec.Receipt{ID: w.id, Durable: durable && s.volatile == ""}})
	}
	clear(s.waits[len(kept):])
	s.waits = kept
}

// due returns when the next commit is due; false if there is none to do.
func (s *Store) due() (time.Time, bool) {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	switch {
	case s.fault.Load() != nil:
		return s.retryAt, true
	case !s.fullSince.IsZero():
		return s.fullSince.Add(s.cfg.StallAfter), true
	case s.queueBytes >= s.cfg.CommitBytes, s.learnt.Load():
		return time.Time{}, true
	case len(s.waits) > 0:
		return s.lastCommit.Add(s.cfg.AckDelay), true
	case len(s.queue) > 0:
		return s.queuedSince.Add(s.cfg.SyncInterval), true
	}
	return time.Time{}, false
}
