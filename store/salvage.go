package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"edgechat/codec"
	"edgechat/internal/durable"
)

const (
	corruptCopies = 2 // how many files that were put aside are kept, the newest ones, and as many logs
	salvageChunk  = 4 << 20
)

// reconcile compares the rooms with what a scan found: messages that are gone
// become holes, and what the file holds beyond the buffer is due for removal. It
// returns how many were lost.
func (s *Store) reconcile(sc *scan) (lost int) {
	s.dropRemovals()
	found := make(map[uint64]bool, len(sc.messages))
	sc.each(func(seq uint64, rec *codec.Record, _ []byte) {
		switch r, e := s.roomOf(seq, rec); {
		case r == nil:
			s.remove(nil, seq, uint32(costOf(rec.Room, &rec.Message, rec.Key)))
		case e == nil:
			found[seq] = true
		default: // a commit that failed has written it all the same
			r.mu.Lock()
			if e.inFile = true; e.trimmed.Load() {
				s.remove(r, seq, e.cost)
			}
			r.mu.Unlock()
		}
	})
	s.roomsMu.RLock()
	rooms := make([]*room, 0, len(s.rooms))
	for _, r := range s.rooms {
		rooms = append(rooms, r)
	}
	s.roomsMu.RUnlock()
	for _, r := range rooms {
		r.mu.Lock()
		for i := range r.stored() {
			if sl := r.slots.at(i); sl.seq != 0 && !found[sl.seq] {
				s.loseLocked(r, r.oldest()+uint64(i), sl)
				lost++
			}
		}
		r.mu.Unlock()
	}
	return lost
}

// loseLocked makes a hole of a slot of r: what is missing there is never passed over
// in silence, and who sends it again is not told that it is there. The caller holds r.mu.
func (s *Store) loseLocked(r *room, offset uint64, sl *slot) {
	s.bytes.Add(-int64(sl.cost))
	r.bytes -= int64(sl.cost)
	r.unkey(offset)
	*sl = slot{}
	s.count.lost.Add(1)
}

// roomOf returns the room that a message of the file is in the buffer of, nil if
// there is none; and its entry if it is pending.
func (s *Store) roomOf(seq uint64, rec *codec.Record) (*room, *entry) {
	s.roomsMu.RLock()
	r := s.rooms[rec.Room]
	s.roomsMu.RUnlock()
	if r == nil {
		return nil, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	id := rec.Message.ID
	if sl := r.slot(id.Offset); sl == nil || sl.seq != seq || r.epochAt(id.Offset) != id.Epoch {
		return nil, nil
	}
	return r, r.waiting(id.Offset)
}

// rebuild writes what is in the buffer and can still be read from old to a new
// file, and puts that in the place of old, which may be kept aside. What is pending
// comes with the next checkpoint. The caller makes it known to readers, and ends replacing.
func (s *Store) rebuild(old *os.File, sc *scan, aside bool) (*history, error) {
	h, err := s.rescue(sc)
	if isFull(err) { // these are of less use than the chat's history
		files, logs := s.dropCorrupt(s.cfg.Path, 0, ""), s.dropCorrupt(s.logPath(), 0, "")
		if files || logs {
			h, err = s.rescue(sc)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("salvage: %w", err)
	}
	s.replacing.Store(true)
	if err := s.putInPlace(aside); err != nil {
		return nil, errors.Join(fmt.Errorf("salvage: %w", err), h.close())
	}
	s.queueMu.Lock()
	s.actualChanges++
	s.queueMu.Unlock()
	return h, nil
}

func (s *Store) newPath() string { return s.cfg.Path + ".new" }

// rescue makes the new file.
func (s *Store) rescue(sc *scan) (_ *history, err error) {
	path := s.newPath()
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, _, _, err := openFile(path, false)
	if err != nil {
		return nil, err
	}
	h := &history{file: f, path: s.cfg.Path, quota: s.cfg.quota, identify: s.cfg.identify}
	defer func() {
		if err != nil {
			_ = h.close()
			_ = os.Remove(path)
		}
	}()

	// What leaves the buffer from here on is removed by a later commit.
	removals := s.dropRemovals()
	defer func() {
		if err != nil {
			for _, r := range removals {
				s.remove(r.room, r.seq, r.cost)
			}
		}
	}()

	j := job{state: s.state(false)}
	s.queueMu.Lock()
	j.state.checkpoint, j.state.changes = s.checkpointed.Load(), s.actualChanges+1
	s.queueMu.Unlock()
	var keys, values [][]byte
	size := 0
	flush := func() {
		if err == nil {
			err = s.applyRescued(h, &j, keys, values)
		}
		keys, values, size = keys[:0], values[:0], 0
	}
	sc.each(func(seq uint64, rec *codec.Record, b []byte) {
		if r, e := s.roomOf(seq, rec); r == nil || e != nil || err != nil {
			return
		}
		keys, values = append(keys, sequenceKey(nil, seq)), append(values, s.present(rec, b))
		if size += len(b); size >= salvageChunk {
			flush()
		}
	})
	s.roomsMu.RLock()
	for _, r := range s.rooms {
		r.mu.Lock()
		if len(r.starts) > 0 {
			p := r.place()
			j.places = append(j.places, placed{r.name, r, r.version, p.append(nil)})
		}
		r.mu.Unlock()
	}
	s.roomsMu.RUnlock()
	flush()
	if err != nil {
		return nil, err
	}
	return h, nil
}

// applyRescued does j in a file that nobody else knows yet.
func (s *Store) applyRescued(h *history, j *job, keys, values [][]byte) error {
	var v *view
	if h.tally != (tally{}) {
		var err error
		if v, err = openView(h.file); err != nil {
			return err
		}
	}
	return h.apply(j, keys, values, v)
}

const asideTime = "20060102T150405.000000"

// putInPlace renames the new file to the name of the old one, which gets a name
// that tells when.
func (s *Store) putInPlace(keep bool) error {
	path, aside := s.cfg.Path, ""
	if keep {
		aside = fmt.Sprintf("%s.corrupt-%s", path, time.Now().UTC().Format(asideTime))
		// With a link the store's name is never missing, whenever power fails. FAT
		// has none.
		if err := os.Link(path, aside); err != nil {
			if err := os.Rename(path, aside); err != nil {
				return err
			}
		}
		s.log.Warn("store put aside", "aside", aside)
	}
	if err := durable.Rename(s.newPath(), path); err != nil {
		return err
	}
	s.dropCorrupt(path, corruptCopies, aside)
	return nil
}

// putLogAside renames the log so that nothing of it is taken for a part of this store.
func (s *Store) putLogAside() error {
	aside := fmt.Sprintf("%s.corrupt-%s", s.logPath(), time.Now().UTC().Format(asideTime))
	err := os.Rename(s.logPath(), aside)
	if err == nil {
		s.log.Warn("log put aside", "aside", aside)
		s.dropCorrupt(s.logPath(), corruptCopies, aside)
	}
	return err
}

// dropCorrupt removes files of this path that were put aside, save the newest ones, and says if
// there was any. Their names sort by time; but a board without a clock battery may
// have made the last one, latest, seem the oldest.
func (s *Store) dropCorrupt(path string, keep int, latest string) bool {
	copies, _ := filepath.Glob(globQuote(path) + ".corrupt-*")
	slices.Sort(copies)
	if i := slices.Index(copies, latest); i >= 0 {
		copies = append(slices.Delete(copies, i, i+1), latest)
	}
	if len(copies) <= keep {
		return false
	}
	for _, name := range copies[:len(copies)-keep] {
		if err := os.Remove(name); err != nil {
			s.log.Warn("store cannot remove", "file", name, "err", err)
		}
	}
	return true
}

// globQuote quotes what path/filepath.Match would take for a pattern.
func globQuote(path string) string {
	var b []byte
	for i := range len(path) {
		if c := path[i]; c == '*' || c == '?' || c == '[' || c == '\\' && filepath.Separator == '/' {
			b = append(b, '\\')
		}
		b = append(b, path[i])
	}
	return string(b)
}
