package store

import (
	"encoding/binary"
	"errors"

	bolt "go.etcd.io/bbolt"

	"edgechat/codec"
)

// A job is what one transaction does. It may be done twice, as it is after a commit
// that failed and had written all the same: what is stored again has the same
// key, and what is removed again is not there.
type job struct {
	entries   []*entry // to be stored
	passed    []*entry // not to be stored, since they left the buffer
	taken     int      // of Store.recent
	upTo      uint64   // the sequence that the checkpoint reaches with this
	last      bool     // of the checkpoint
	changes   uint64
	removals  []removal // from the log bucket
	purged    bool      // what a revision took away may be among these, or was removed before
	replaced  []uint64  // sequences whose content is no more
	told      []*room   // rooms whose heads are in the log alone
	forgotten []string  // rooms whose places it removes
	places    []placed
	state     state
}

// A placed is the place of a room, encoded; the bytes are nil if it is forgotten.
type placed struct {
	name    string
	room    *room
	version uint64
	bytes   []byte
}

// encode returns keys and values of entries.
func (s *Store) encode(entries []*entry) (keys, values [][]byte) {
	size := 0
	for _, e := range entries {
		size += int(e.cost)
	}
	b := make([]byte, 0, size)
	ends := make([]int, 0, 2*len(entries))
	for _, e := range entries {
		b = sequenceKey(b, e.seq)
		ends = append(ends, len(b))
		b = codec.AppendRecord(b, &codec.Record{Room: e.room.name, Message: e.msg, Key: e.key})
		ends = append(ends, len(b))
	}
	begin := 0
	for i := 0; i < len(ends); i += 2 {
		keys = append(keys, b[begin:ends[i]])
		values = append(values, b[ends[i]:ends[i+1]])
		begin = ends[i+1]
	}
	return keys, values
}

func sequenceOf(key []byte) uint64 { return binary.BigEndian.Uint64(key) }

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
	for _, seq := range j.replaced {
		if err := strip(log, sequenceKey(key[:0], seq), t); err != nil {
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

// findPlaces adds the places that j makes necessary: of rooms that are forgotten, of rooms
// with starts that the file does not hold yet, and of rooms of which no message
// is left in the file that would tell the head. The head would be lost with them, and
// its numbers given again.
func (s *Store) findPlaces(j *job) {
	for _, name := range j.forgotten {
		s.roomsMu.RLock()
		r := s.rooms[name]
		s.roomsMu.RUnlock()
		if r == nil { // else it is back
			j.places = append(j.places, placed{name: name})
		}
	}
	seen := make(map[*room]bool)
	told := make(map[*room]bool, len(j.entries)) // by a message that j stores
	for _, e := range j.entries {
		told[e.room] = true
	}
	add := func(r *room) {
		if r == nil || seen[r] {
			return
		}
		seen[r] = true
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.gone.Load() || r.recorded >= r.version && (r.stored() > 0 || told[r]) {
			return
		}
		p := r.place()
		j.places = append(j.places, placed{r.name, r, r.version, p.append(nil)})
	}
	for _, e := range j.passed {
		// The history may still have messages that are older than this one: they left the buffer before it did, and
		// must not come back without it.
		e.room.mu.Lock()
		e.room.leave(e.msg.ID.Offset + 1)
		e.room.mu.Unlock()
		add(e.room)
	}
	for _, r := range j.removals {
		add(r.room)
	}
	for _, r := range j.told {
		add(r)
	}
}

// apply does j in one transaction, with these messages. Values may lie in a buffer
// that is used again, since bbolt has written them when it returns.
func (h *history) apply(j *job, keys, values [][]byte, v *view) error {
	touched, err := j.touches(v, keys)
	if err != nil {
		return err
	}
	t := h.tally
	j.state.identity = h.identify(h.file)
	err = h.update(touched, func(tx *bolt.Tx) error { return j.apply(tx, keys, values, h.last, &t) })
	if err == nil {
		h.tally = t
		if n := len(keys); n > 0 {
			h.last = max(h.last, sequenceOf(keys[n-1]))
		}
	}
	return err
}

// touches returns the pages that j will look at.
func (j *job) touches(v *view, keys [][]byte) (map[uint64]int, error) {
	if v == nil { // an empty file
		return nil, nil
	}
	w := newWalker(v)
	w.touched = map[uint64]int{0: 2} // the metas
	if v.freelist != noFreelist {
		b, err := w.page(v.freelist)
		if err != nil {
			return nil, err
		}
		w.touch(v.freelist, b)
	}
	root := bucketAt{root: v.root}
	look := func(at bucketAt, key []byte) error {
		_, err := w.get(at, key)
		return err
	}
	errs := []error{look(root, logBucket), look(root, metaBucket), look(root, roomsBucket)}
	var key []byte
	for _, r := range j.removals {
		key = sequenceKey(key[:0], r.seq)
		errs = append(errs, look(v.log, key))
	}
	for _, seq := range j.replaced {
		key = sequenceKey(key[:0], seq)
		errs = append(errs, look(v.log, key))
	}
	if len(keys) > 0 {
		errs = append(errs, look(v.log, keys[0]), look(v.log, keys[len(keys)-1]))
	}
	for _, p := range j.places {
		errs = append(errs, look(v.rooms, []byte(p.name)))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return w.touched, nil
}
