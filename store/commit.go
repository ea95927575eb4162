package store

import (
	"errors"
	"fmt"
	"time"

	"edgechat/store/wal"
)

// idleFold is how long nothing is said until the history gets what the log has: a start is quicker then,
// and memory is given back.
const (
	idleFold  = time.Minute
	leastFold = 64 << 10 // bytes of the log that are worth it
)

// commitLoop is the committer: the only goroutine that uses the log. Close ends it, and it
// ends the keeper. It sets no timer while nothing is pending, but one after
// the last commit.
func (s *Store) commitLoop() {
	defer close(s.folds)
	timer := time.NewTimer(0)
	defer timer.Stop()
	idle := time.NewTimer(idleFold)
	idle.Stop()
	defer idle.Stop()
	for {
		var expired <-chan time.Time
		if at, pending := s.due(); pending {
			wait := time.Until(at)
			if wait <= 0 {
				if s.commit(false) == nil && (s.wal.Used() >= leastFold || s.isDirty()) { // else told by receipts, Ready and the log
					idle.Reset(idleFold)
				}
				continue
			}
			timer.Reset(wait)
			expired = timer.C
		}
		if s.eraseSome() {
			continue
		}
		select {
		case <-s.wake:
		case <-expired:
		case <-idle.C:
			s.requestFold()
		case <-s.stop:
			s.closeErr = s.finish()
			return
		}
	}
}

// requestFold has the keeper make a checkpoint, unless one is about to be made.
func (s *Store) requestFold() {
	select {
	case s.folds <- fold{}:
	default:
	}
}

// finish writes all that is left to the log and the history, and the mark that all was written.
func (s *Store) finish() error {
	err := s.commit(true)
	for err == nil && (s.pending() > 0 || s.passesLater()) {
		err = s.commit(true) // there was more than one commit may hold
	}
	if errors.Is(err, wal.ErrFull) {
		err = nil // there may be room once the keeper is done
	}
	var foldErr error
	for failed := 0; failed < 2; { // a history that was found broken is mended the second time
		done := make(chan error)
		before := s.pending()
		s.folds <- fold{closing: true, done: done}
		if foldErr = <-done; foldErr != nil {
			failed++
			continue
		}
		if before == 0 || err != nil {
			break
		}
		for s.pending() > 0 && s.commit(true) == nil {
		}
		if s.pending() >= before {
			break
		}
	}
	if err == nil && s.pending() > 0 {
		err = errNoDisk
		if f := s.fault.Load(); f != nil {
			err = f.err
		}
	}
	if err == nil {
		err = foldErr
	}
	for err == nil && s.eraseSome() {
	}
	if n := s.pending(); err != nil && n > 0 {
		s.queueMu.Lock()
		s.tellLocked(false, func(wait) bool { return true })
		s.queueMu.Unlock()
		return fmt.Errorf("store: close %s: %d messages were not written: %w", s.cfg.Path, n, err)
	}
	if err != nil { // the log has them
		return fmt.Errorf("store: close %s: %w", s.cfg.Path, err)
	}
	return nil
}

func (s *Store) pending() int {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	return len(s.queue)
}

// passesLater says if the log has not been told of all that left the buffer before it was written.
func (s *Store) passesLater() bool {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	return s.passesLaterLocked()
}

func (s *Store) passesLaterLocked() bool {
	return len(s.later) > 0 || len(s.untold) > 0 || len(s.untoldLocked(s.closedAt)) > 0
}

// commit writes the oldest of what is pending, as much as one commit may hold.
func (s *Store) commit(closing bool) error {
	degraded := s.fault.Load() != nil
	if degraded {
		s.count.retries.Add(1)
		if err := s.mend(); err != nil {
			s.degrade(err)
			return err
		}
	} else if err := s.stillOurs(); err != nil {
		s.walSuspect = true
		s.degrade(err)
		if !closing {
			return err
		}
	}
	batch, settled := s.take(s.batch[:0])
	s.batch = batch
	began := time.Now()
	s.commitBegan.Store(int64(max(1, began.Sub(s.opened))))
	turned, err := s.write(batch, settled)
	s.commitBegan.Store(0)
	if s.wal != nil {
		s.count.logBytes.Add(uint64(s.wal.TakeWritten()))
	}
	s.lastCommit = time.Now() // of its end: a slow card has AckDelay to rest, too
	s.count.commitNanos.Add(int64(s.lastCommit.Sub(began)))
	if err != nil {
		s.untake(batch)
		clear(batch)
		if errors.Is(err, wal.ErrFull) {
			return s.awaitFold(err, degraded)
		}
		s.count.failures.Add(1)
		s.walSuspect = s.walSuspect || !isFull(err)
		s.degrade(err)
		return err
	}
	s.queueMu.Lock()
	s.fullSince = time.Time{}
	s.queueMu.Unlock()
	if degraded {
		s.mended()
	}
	if len(batch) > 0 {
		s.count.commits.Add(1)
		s.count.written.Add(uint64(len(batch)))
		s.count.commitTimes.Observe(s.lastCommit.Sub(began))
	}
	// Whoever appends holds the lock of his room until the message is delivered: no receipt comes before that, and
	// whoever found a message pending has entered his wait.
	for _, e := range batch {
		e.room.mu.Lock()
		e.room.logged = max(e.room.logged, e.msg.ID.Offset)
		e.room.mu.Unlock()
	}
	s.settle(batch, settled)
	clear(batch)
	if turned {
		s.requestFold()
	}
	return nil
}

// awaitFold is what a commit does that finds the log full: a checkpoint will make room, unless it
// does not come.
func (s *Store) awaitFold(err error, degraded bool) error {
	s.requestFold()
	s.queueMu.Lock()
	if s.fullSince.IsZero() {
		s.fullSince = time.Now()
	}
	late := time.Since(s.fullSince) >= s.cfg.StallAfter
	if late || degraded {
		s.fullSince = time.Time{}
	}
	s.queueMu.Unlock()
	f := s.foldFault.Load()
	if f != nil {
		err = fmt.Errorf("%w, and what it holds cannot be put into the history: %w", err, f.err)
	}
	if late || degraded || f != nil {
		s.degrade(err)
	}
	return err
}

// closesLocked returns what append is to know of a batch with which everything up to this sequence is settled.
func (s *Store) closesLocked(settled uint64) uint64 {
	if settled < s.target {
		return 0
	}
	return max(s.target, 1)
}

// write puts a batch into the log, and what else it is to know.
func (s *Store) write(batch []*entry, settled uint64) (turned bool, err error) {
	s.queueMu.Lock()
	closes := s.closesLocked(settled)
	tells := closes != 0 && (len(s.untold) > 0 || len(s.untoldLocked(closes)) > 0)
	s.queueMu.Unlock()
	if len(batch) == 0 && !tells && !s.learnt.Load() {
		return false, nil
	}
	var told []tale
	if tells { // else what displaced them may not be in the log yet
		told = s.untoldRooms()
	}
	commit := func() error {
		turned, err = s.append(batch, closes, told)
		return err
	}
	if s.cfg.aroundCommit != nil {
		return turned, s.cfg.aroundCommit(commit)
	}
	return turned, commit()
}
