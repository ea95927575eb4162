package store

import (
	"time"

	"edgechat/codec"
)

// A wait is somebody who wants to know when the message seq is on disk.
type wait struct {
	seq  uint64
	id   codec.ID
	done func(codec.Receipt)
}

const (
	chunksPerCommit = 4    // times CommitBytes is the most that one commit takes
	compactQueueAt  = 4096 // entries, at least
	slabSize        = 16   // entries that are allocated at a time; the last to go frees them all
)

// enqueue makes an entry with the next sequence and hands it to the committer.
// The caller holds the lock of r, so that sequences ascend with offsets.
func (s *Store) enqueue(r *room, m codec.Message, key string, cost uint32, done func(codec.Receipt)) (*entry, error) {
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
	s.seq++
	e.seq, e.room, e.msg, e.key, e.cost = s.seq, r, m, key, cost
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
	if done != nil {
		s.awaitLocked(e.seq, e.msg.ID, done)
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
	s.waits = append(s.waits, wait{seq, id, done})
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

// compactLocked drops entries that left the buffer, so that a disk that takes
// nothing does not make the queue longer than the buffer is.
func (s *Store) compactLocked() {
	kept := s.queue[:0]
	s.queueBytes = 0
	for _, e := range s.queue {
		if !e.trimmed.Load() {
			kept = append(kept, e)
			s.queueBytes += int(e.cost)
		}
	}
	clear(s.queue[len(kept):])
	s.queue = kept
	s.compactAt = max(compactQueueAt, 2*len(kept))
}

// take moves the oldest of the queue into batch, as much as one commit may hold,
// and returns the last sequence that is settled when they are written.
func (s *Store) take(batch []*entry) ([]*entry, uint64) {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	n, bytes := 0, 0
	for n < len(s.queue) && bytes < chunksPerCommit*s.cfg.CommitBytes {
		e := s.queue[n]
		n++
		bytes += int(e.cost)
		if !e.trimmed.Load() {
			batch = append(batch, e)
		}
	}
	settled := s.seq
	if n < len(s.queue) {
		settled = s.queue[n].seq - 1
	}
	// What is left moves to the front, so that the array is used again.
	rest := copy(s.queue, s.queue[n:])
	clear(s.queue[rest:])
	s.queue = s.queue[:rest]
	s.queueBytes -= bytes
	return batch, settled
}

// untake puts a batch that could not be written back to the front.
func (s *Store) untake(batch []*entry) {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	s.queue = append(append(make([]*entry, 0, len(batch)+len(s.queue)), batch...), s.queue...)
	s.compactLocked()
}

// settle sends the receipts of all that wait for a sequence up to seq.
func (s *Store) settle(seq uint64, durable bool) {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	kept := s.waits[:0]
	for _, w := range s.waits {
		if w.seq > seq {
			kept = append(kept, w)
			continue
		}
		s.receipts.add(receipt{w.done, codec.Receipt{ID: w.id, Durable: durable}})
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
	case s.readFault.Load() != nil:
		return time.Time{}, true
	case s.queueBytes >= s.cfg.CommitBytes:
		return time.Time{}, true
	case len(s.waits) > 0:
		return s.lastCommit.Add(s.cfg.AckDelay), true
	case len(s.queue) > 0:
		return s.queuedSince.Add(s.cfg.SyncInterval), true
	}
	return time.Time{}, false
}
