package store

import (
	"errors"
	"fmt"
	"time"

	berrors "go.etcd.io/bbolt/errors"
)

// commitLoop is the committer: the only goroutine that writes. Close ends it.
// It sets no timer while nothing is pending.
func (s *Store) commitLoop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		var expired <-chan time.Time
		if at, pending := s.due(); pending {
			wait := time.Until(at)
			if wait <= 0 {
				_ = s.commit(false) // told by receipts, Ready and the log
				continue
			}
			timer.Reset(wait)
			expired = timer.C
		}
		select {
		case <-s.wake:
		case <-expired:
		case <-s.stop:
			s.closeErr = s.finish()
			return
		}
	}
}

// finish writes all that is left, and the mark that all was written.
func (s *Store) finish() error {
	for {
		err := s.commit(true)
		if err == nil && !s.clean {
			continue // there was more than one commit may hold
		}
		if err != nil {
			s.queueMu.Lock()
			n := len(s.queue)
			s.queueMu.Unlock()
			err = fmt.Errorf("store: close %s: %d messages were not written: %w", s.cfg.Path, n, err)
		}
		return err
	}
}

// commit writes the oldest of what is pending, as much as one commit may hold.
func (s *Store) commit(closing bool) error {
	if err := s.readFault.Swap(nil); err != nil && s.fault.Load() == nil {
		s.suspect = true
		s.degrade(*err)
		if !closing {
			return *err
		}
	}
	degraded := s.fault.Load() != nil
	if degraded {
		s.count.retries.Add(1)
		if err := s.mendDisk(); err != nil {
			s.degrade(err)
			return err
		}
	}
	batch, settled := s.take(s.batch[:0])
	s.batch = batch
	began := time.Now()
	s.commitBegan.Store(int64(max(1, began.Sub(s.opened))))
	err := s.write(batch, closing)
	s.commitBegan.Store(0)
	s.lastCommit = time.Now() // of its end: a slow card has AckDelay to rest, too
	s.count.commitNanos.Add(int64(s.lastCommit.Sub(began)))
	if err != nil {
		s.untake(batch)
		s.suspect = s.suspect || !isFull(err)
		s.degrade(err)
		clear(batch)
		return err
	}
	// The order matters: whoever finds a message pending has entered his wait before
	// markStored could have the lock of its room, so that settle finds it.
	s.markStored(batch)
	clear(batch)
	if degraded {
		s.mended()
	}
	s.settle(settled, true)
	return nil
}

// markStored tells the rooms that their messages are on disk. Until then readers
// take them from memory, so that each can be read at any time.
func (s *Store) markStored(batch []*entry) {
	for _, e := range batch {
		r := e.room
		r.mu.Lock()
		if e.trimmed.Load() { // it left the buffer meanwhile
			s.remove(r, e.seq, e.cost)
		} else {
			r.pending.pop()
		}
		r.mu.Unlock()
	}
	s.count.written.Add(uint64(len(batch)))
}

// write commits batch, and what else is due. If closing is set and nothing is left then, it
// marks the file as clean.
func (s *Store) write(batch []*entry, closing bool) error {
	for attempt := 0; ; attempt++ {
		j := job{entries: batch}
		which := whatIsDue
		if closing {
			which = allOldest
		}
		more := s.takeRemovals(&j, which)
		s.queueMu.Lock()
		clean := closing && !more && len(s.queue) == 0
		s.queueMu.Unlock()
		j.state = s.state(clean)
		s.sinceRemoved++
		err := s.run(&j)
		if err == nil {
			s.clean = clean
			return nil
		}
		s.untakeRemovals(&j)
		if !errors.Is(err, berrors.ErrMaxSizeReached) || attempt == 3 {
			return err
		}
		if err := s.makeRoom(attempt > 0); err != nil {
			return err
		}
	}
}

// makeRoom removes what is due from a file that has reached its quota; if that
// was not enough, an eighth of the buffer as well.
func (s *Store) makeRoom(trim bool) error {
	if trim {
		s.trimTo(s.bytes.Load() / 8 * 7)
		s.count.squeezed.Add(1)
	}
	for {
		var j job
		s.takeRemovals(&j, allRemovals)
		if len(j.removals) == 0 {
			s.untakeRemovals(&j)
			return nil
		}
		j.state = s.state(false)
		s.disk.setQuota(s.cfg.quota + quotaReserve)
		err := s.run(&j)
		s.disk.setQuota(s.cfg.quota)
		if err != nil {
			s.untakeRemovals(&j)
			return err
		}
	}
}

// state returns what the file is to say of the store, save the tally.
func (s *Store) state(clean bool) state {
	s.roomsMu.RLock()
	defer s.roomsMu.RUnlock()
	return state{clean: clean, floor: s.floor, epochs: *s.epochs.Load()}
}

// run does a job in one transaction.
func (s *Store) run(j *job) error {
	d := s.disk
	if d == nil || d.readOnly {
		return errNoDisk
	}
	keys, values := s.encode(j.entries)
	commit := func() error { return d.apply(j, keys, values) }
	var err error
	if s.cfg.aroundCommit != nil {
		err = s.cfg.aroundCommit(commit)
	} else {
		err = commit()
	}
	if err != nil {
		s.count.failures.Add(1)
		return err
	}
	s.count.commits.Add(1)
	s.count.removed.Add(uint64(len(j.removals)))
	for _, p := range j.places {
		if p.room != nil {
			p.room.mu.Lock()
			p.room.recorded = max(p.room.recorded, p.version)
			p.room.mu.Unlock()
		}
	}
	return nil
}
