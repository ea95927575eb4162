package store

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"edgechat/codec"
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
	s.commitBegan.Store(began.UnixNano())
	err := s.write(batch, closing)
	s.commitBegan.Store(0)
	s.lastCommit = time.Now()
	s.count.commitNanos.Add(int64(s.lastCommit.Sub(began)))
	if err != nil {
		s.untake(batch)
		s.suspect = s.suspect || !isFull(err)
		s.degrade(err)
		clear(batch)
		return err
	}
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

// A job is what one transaction does.
type job struct {
	entries  []*entry
	removals []removal
	emptied  []string
	places   []placed
	state    state
}

// A placed is the place of a room, encoded; the bytes are nil if it is forgotten.
type placed struct {
	name    string
	room    *room
	version uint64
	bytes   []byte
}

// write commits batch, and what else is due. If closing is set and nothing is left then, it
// marks the file as clean.
func (s *Store) write(batch []*entry, closing bool) error {
	for attempt := 0; ; attempt++ {
		j := job{entries: batch}
		more := s.takeRemovals(&j, closing)
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
	for more := true; more; {
		var j job
		more = s.takeRemovals(&j, true)
		if len(j.removals) == 0 {
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
	return nil
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

// encode returns keys and values of entries, in a buffer that is used again by the next commit.
func (s *Store) encode(entries []*entry) (keys, values [][]byte) {
	s.buf = s.buf[:0]
	ends := make([]int, 0, 2*len(entries))
	for _, e := range entries {
		if e.trimmed.Load() {
			continue
		}
		s.buf = sequenceKey(s.buf, e.seq)
		ends = append(ends, len(s.buf))
		s.buf = codec.AppendRecord(s.buf, &codec.Record{Room: e.room.name, Message: e.msg, Key: e.key})
		ends = append(ends, len(s.buf))
	}
	begin := 0
	for i := 0; i < len(ends); i += 2 {
		keys = append(keys, s.buf[begin:ends[i]])
		values = append(values, s.buf[ends[i]:ends[i+1]])
		begin = ends[i+1]
	}
	if cap(s.buf) > 2*chunksPerCommit*s.cfg.CommitBytes {
		s.buf = nil
	}
	return keys, values
}

// apply does j in one transaction, with these messages.
func (d *disk) apply(j *job, keys, values [][]byte) error {
	after := d.tally
	err := d.update(func(tx *bolt.Tx) error { return j.apply(tx, keys, values, &after) })
	if err == nil {
		d.tally = after
	}
	return err
}

func (j *job) apply(tx *bolt.Tx, keys, values [][]byte, t *tally) error {
	log, err := tx.CreateBucketIfNotExists(logBucket)
	if err != nil {
		return err
	}
	meta, err := tx.CreateBucketIfNotExists(metaBucket)
	if err != nil {
		return err
	}
	rooms, err := tx.CreateBucketIfNotExists(roomsBucket)
	if err != nil {
		return err
	}
	log.FillPercent = 1 // keys only ascend, so a page is never split later
	var key []byte
	for _, r := range j.removals {
		key = sequenceKey(key[:0], r.seq)
		if log.Get(key) == nil {
			continue
		}
		t.messages--
		if err := log.Delete(key); err != nil {
			return err
		}
	}
	for i := range keys {
		if seq := binary.BigEndian.Uint64(keys[i]); seq > t.last {
			t.last = seq
			t.messages++
		} else if log.Get(keys[i]) == nil { // else a commit that failed has stored it
			t.messages++
		}
		if err := log.Put(keys[i], values[i]); err != nil {
			return err
		}
	}
	for _, p := range j.places {
		name := []byte(p.name)
		found := rooms.Get(name) != nil
		switch {
		case p.bytes != nil:
			if !found {
				t.places++
			}
			err = rooms.Put(name, p.bytes)
		case found:
			t.places--
			err = rooms.Delete(name)
		}
		if err != nil {
			return err
		}
	}
	j.state.tally = *t
	return meta.Put(stateKey, j.state.append(nil))
}

// takeRemovals gives j the removals that are due, or any if all is set, and says if
// more are left.
func (s *Store) takeRemovals(j *job, all bool) (more bool) {
	s.queueMu.Lock()
	due := all || s.sinceRemoved >= removeAfterCommits || len(s.removals) >= removeAtMost ||
		s.removalBytes > s.cfg.HistoryBytes/8
	if !due {
		s.queueMu.Unlock()
		return false
	}
	// Those of one page together: a page is written once for all of them.
	slices.SortFunc(s.removals, func(a, b removal) int { return cmp.Compare(a.seq, b.seq) })
	n := min(removeAtMost, len(s.removals))
	j.removals = slices.Clone(s.removals[:n])
	s.removals = slices.Delete(s.removals, 0, n)
	for _, r := range j.removals {
		s.removalBytes -= int64(r.cost)
	}
	j.emptied, s.emptied = s.emptied, nil
	more = len(s.removals) > 0
	s.queueMu.Unlock()

	s.sinceRemoved = 0
	s.findPlaces(j)
	return more
}

// findPlaces adds the places that the removals of j make necessary: of rooms
// with starts that the file does not hold yet, and of rooms of which no message
// is left in the file that would tell the head. The head would be lost with them, and
// its numbers given again.
func (s *Store) findPlaces(j *job) {
	seen := make(map[*room]bool)
	add := func(r *room, always bool) {
		if seen[r] {
			return
		}
		seen[r] = true
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.gone || !always && r.recorded >= r.version && r.stored() > 0 {
			return
		}
		p := r.place()
		j.places = append(j.places, placed{r.name, r, r.version, p.append(nil)})
	}
	for _, name := range j.emptied {
		s.roomsMu.RLock()
		r := s.rooms[name]
		s.roomsMu.RUnlock()
		if r == nil {
			j.places = append(j.places, placed{name: name})
			continue
		}
		add(r, true) // empty, or back with other starts
	}
	for _, r := range j.removals {
		if r.room != nil {
			add(r.room, false)
		}
	}
}

// untakeRemovals puts back what could not be done.
func (s *Store) untakeRemovals(j *job) {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	s.removals = append(s.removals, j.removals...)
	for _, r := range j.removals {
		s.removalBytes += int64(r.cost)
	}
	s.emptied = append(s.emptied, j.emptied...)
}
