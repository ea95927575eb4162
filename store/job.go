package store

import (
	"encoding/binary"

	bolt "go.etcd.io/bbolt"

	"edgechat/codec"
)

// A job is what one transaction does. It may be done twice, as it is after a commit
// that failed and had written all the same: what is stored again has the same
// key, and what is removed again is not there.
type job struct {
	entries  []*entry  // to be stored
	removals []removal // from the log
	emptied  []string  // rooms whose places it writes or removes
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

// apply does j in one transaction, with these messages. Values may lie in a buffer
// that is used again, since bbolt has written them when it returns.
func (d *disk) apply(j *job, keys, values [][]byte) error {
	tally := d.tally
	err := d.update(func(tx *bolt.Tx) error { return j.apply(tx, keys, values, d.last, &tally) })
	if err == nil {
		d.tally = tally
		if n := len(keys); n > 0 {
			d.last = max(d.last, binary.BigEndian.Uint64(keys[n-1]))
		}
	}
	return err
}

func (j *job) apply(tx *bolt.Tx, keys, values [][]byte, last uint64, t *tally) error {
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
		// It is there already if a commit that failed has stored it.
		if binary.BigEndian.Uint64(keys[i]) > last || log.Get(keys[i]) == nil {
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
