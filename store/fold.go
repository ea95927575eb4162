package store

import (
	"errors"
	"os"
	"time"

	berrors "go.etcd.io/bbolt/errors"
)

// A fold is a request to the keeper: a checkpoint, which puts what the log has into the history.
type fold struct {
	closing bool       // all of it, and the mark that the store was closed in order
	reopen  bool       // see first to the file, whose name stands for another, or which never was there
	done    chan error // nil: nobody waits
}

// maxRoomTries: each gives up an eighth of the buffer, and pages that it frees are used by the next.
const maxRoomTries = 8

// foldBytes is how much goes into the history in one transaction, in bytes of messages.
const foldBytes = 1 << 20

// keepLoop is the keeper: the only goroutine that writes to the history. It may hang with
// the disk, and nobody waits for it but Close. The committer ends it.
func (s *Store) keepLoop() {
	retry := time.NewTimer(time.Hour)
	defer retry.Stop()
	for {
		var f fold
		var ok bool
		var expired <-chan time.Time
		if s.foldFault.Load() != nil {
			expired = retry.C
		}
		select {
		case f, ok = <-s.folds:
			if !ok {
				return
			}
		case <-expired:
		}
		err := s.fold(f)
		if err != nil {
			s.noteFoldFault(err)
			retry.Reset(s.foldDelay)
		} else if was := s.foldFault.Swap(nil); was != nil {
			s.log.Info("history recovered", "since", was.since, "err", was.err)
		}
		s.queueMu.Lock()
		if err == nil {
			s.fullSince = time.Time{}
			if s.fault.Load() != nil {
				s.retryAt = time.Time{} // there may be room in the log now
			}
		}
		s.queueMu.Unlock()
		s.signal()
		if f.done != nil {
			f.done <- err
		}
	}
}

func (s *Store) noteFoldFault(err error) {
	before := s.foldFault.Load()
	now := &fault{err: err, since: time.Now()}
	if before == nil {
		s.foldDelay = s.cfg.RetryDelay
		s.log.Error("history not written", "err", err)
	} else {
		s.foldDelay = min(2*s.foldDelay, maxRetryDelay)
		now.since = before.since
	}
	s.foldFault.Store(now)
}

// fold makes a checkpoint, in as many transactions as it takes.
func (s *Store) fold(f fold) error {
	if err := s.readFault.Swap(nil); err != nil {
		s.suspect = true
		s.log.Error("history distrusted", "err", *err)
	}
	if s.history == nil || s.suspect || f.reopen {
		if err := s.reopen(); err != nil {
			return err
		}
	}
	if f.reopen {
		return nil
	}
	if s.history.readOnly {
		// Cheaper than to open and scan a file that still takes no writes.
		w, err := os.OpenFile(s.cfg.Path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		_ = w.Close()
		if err := s.reopen(); err != nil {
			return err
		}
	}
	if err := ours(s.cfg.Path, s.history.file); err != nil {
		return err // the committer will see it too, and have it mended
	}
	which := whatIsDue
	if f.closing {
		which = allOldest
	} else if s.nothingToFold() {
		return s.wipe()
	}
	for {
		done, err := s.foldSome(which)
		if err != nil {
			s.suspect = s.suspect || !isFull(err)
			return err
		}
		if done {
			return s.wipe()
		}
	}
}

// foldSome makes one transaction of a checkpoint, and says if it was the last.
func (s *Store) foldSome(which extent) (done bool, err error) {
	for attempt := 0; ; attempt++ {
		j := s.nextJob(which)
		err := s.run(j)
		if err == nil {
			s.markStored(j)
			return j.last, nil
		}
		s.count.foldFailures.Add(1)
		s.untakeRemovals(j)
		if !errors.Is(err, berrors.ErrMaxSizeReached) || attempt == maxRoomTries {
			return false, err
		}
		if err := s.makeRoom(attempt > 0); err != nil {
			return false, err
		}
	}
}

// nextJob is the oldest of what the history does not have, and what else is due.
func (s *Store) nextJob(which extent) *job {
	j := &job{}
	s.queueMu.Lock()
	bytes, n := 0, 0
	for n < len(s.recent) && bytes < foldBytes {
		e := s.recent[n]
		n++
		if e.replaces != 0 {
			j.replaced = append(j.replaced, e.replaces)
		}
		// Whatever displaced it is in the log, beyond doubt: else it has to be here when the half of the log that
		// has it is used again.
		if e.displaced(s.closedAt) {
			j.passed = append(j.passed, e)
			continue
		}
		j.entries = append(j.entries, e)
		bytes += int(e.cost)
	}
	j.taken = n
	if j.upTo = s.settled; n < len(s.recent) {
		j.upTo = s.recent[n-1].seq
	}
	s.takeReplacedLocked(j)
	emptied := n == len(s.recent) && len(s.queue) == 0 && !s.passesLaterLocked()
	j.forgotten, s.forgotten = s.forgotten, nil
	j.told, s.told = s.told, nil
	s.telling, s.tellingFrom = j.told, s.toldFrom
	for _, r := range j.told {
		r.told = false
	}
	j.changes = s.actualChanges + 1
	extent := which
	if j.purged = s.purging; j.purged {
		extent = allReleased
		s.purgedLocked()
	}
	s.queueMu.Unlock()

	more := s.takeRemovals(j, extent)
	if more && j.purged {
		s.purge()
	}
	s.findPlaces(j)
	j.last = !s.moreRecent(n) && !(more && extent > whatIsDue)
	j.state = s.state(which == allOldest && j.last && emptied)
	j.state.checkpoint, j.state.changes = max(j.upTo, s.checkpointed.Load()), j.changes
	return j
}

func (s *Store) nothingToFold() bool {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	return len(s.recent) == 0 && len(s.forgotten) == 0 && len(s.told) == 0 && !s.replacedDueLocked() && !s.purging
}

// moreRecent says if there is more in the log than the first n that a job has taken.
func (s *Store) moreRecent(n int) bool {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	return len(s.recent) > n && n > 0
}

// run does a job in one transaction.
func (s *Store) run(j *job) error {
	keys, values := s.encode(j.entries)
	commit := func() error {
		before := s.history.wrote
		err := s.history.apply(j, keys, values, s.view.Load())
		s.count.foldBytes.Add(uint64(s.history.wrote - before))
		return err
	}
	var err error
	if s.cfg.aroundFold != nil {
		err = s.cfg.aroundFold(commit)
	} else {
		err = commit()
	}
	if err == nil {
		// Before the messages leave memory, so that each can be read at any time; and before the next
		// transaction, which may overwrite what only an older view refers to.
		var v *view
		if v, err = openView(s.history.file); err == nil {
			s.view.Store(v)
		}
	}
	if err != nil {
		return err
	}
	s.soiled = s.soiled || len(j.replaced) > 0 || j.purged
	s.count.folds.Add(1)
	s.count.removed.Add(uint64(len(j.removals)))
	for _, p := range j.places {
		if p.room != nil {
			p.room.mu.Lock()
			p.room.recorded = max(p.room.recorded, p.version)
			p.room.mu.Unlock()
		}
	}
	s.clean = j.state.clean
	return nil
}

// markStored tells the rooms that their messages are in the history.
func (s *Store) markStored(j *job) {
	for _, e := range j.entries {
		r := e.room
		r.mu.Lock()
		if e.trimmed.Load() { // it left the buffer meanwhile
			s.remove(r, e.seq, e.cost)
		} else {
			for r.pending.pop() != e { // what was lost in front of it
			}
		}
		r.mu.Unlock()
	}
	s.queueMu.Lock()
	rest := copy(s.recent, s.recent[j.taken:])
	clear(s.recent[rest:])
	s.recent = s.recent[:rest]
	if rest == 0 {
		s.recent = nil
	}
	s.actualChanges = j.changes
	s.telling, s.stripping = nil, nil
	s.queueMu.Unlock()
	s.checkpointed.Store(j.state.checkpoint)
	s.count.folded.Add(uint64(len(j.entries)))
}

// makeRoom removes what is due from a file that has reached its quota; if that
// was not enough, an eighth of the buffer as well.
func (s *Store) makeRoom(trim bool) error {
	if trim {
		s.release(s.squeeze(s.bytes.Load() / 8 * 7))
		s.count.squeezed.Add(1)
	}
	for {
		j := &job{}
		s.queueMu.Lock()
		j.changes = s.actualChanges + 1
		s.queueMu.Unlock()
		s.takeRemovals(j, allReleased)
		if len(j.removals) == 0 {
			s.untakeRemovals(j)
			return nil
		}
		s.findPlaces(j)
		j.state = s.state(false)
		j.state.checkpoint, j.state.changes = s.checkpointed.Load(), j.changes
		s.history.quota += quotaReserve
		err := s.run(j)
		s.history.quota -= quotaReserve
		if err != nil {
			s.untakeRemovals(j)
			return err
		}
		s.markStored(j)
	}
}
