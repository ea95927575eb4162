package store

import (
	"encoding/binary"
	"fmt"
	"os"
)

// wipe overwrites the free pages of the history, if some of them may hold what revisions took away: bbolt changes no page,
// but writes another and frees the old one, which keeps what it had until it is used again. The keeper calls it.
//
// The transaction that freed them is on disk by then, and the one before is needed no more, unless the
// meta page goes bad that was just written: then what can be read is salvaged.
func (s *Store) wipe() error {
	upTo := s.checkpointed.Load()
	s.queueMu.Lock()
	if len(s.recent) == 0 { // what has been given since was no message, or has left the buffer
		upTo = max(upTo, s.settled)
	}
	for _, x := range s.replaced { // the next checkpoint has them
		upTo = min(upTo, x.displacer-1)
	}
	if s.purging {
		upTo = s.wiped.Load()
	}
	s.queueMu.Unlock()
	if v := s.view.Load(); s.soiled && v != nil {
		wrote, err := wipeFree(s.history.file, v)
		s.count.foldBytes.Add(uint64(wrote))
		if err != nil {
			return fmt.Errorf("wipe free pages: %w", err)
		}
	}
	s.soiled = false
	s.wiped.Store(upTo)
	return nil
}

// wipeFree overwrites with zeros all pages of f that are not in use, those behind the last included, and returns how
// many bytes it wrote.
func wipeFree(f *os.File, v *view) (wrote int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	var free []uint64
	if v.freelist != noFreelist {
		b, err := newWalker(v).page(v.freelist)
		if err != nil {
			return 0, err
		}
		if free, err = freeOf(b); err != nil {
			return 0, err
		}
	}
	for id := v.pages; int64(id) < info.Size()/int64(v.pageSize); id++ {
		free = append(free, id)
	}
	b, zeros := make([]byte, v.pageSize), make([]byte, v.pageSize)
	for _, id := range free {
		if id < 2 {
			return wrote, fmt.Errorf("page %d is free: %w", id, errPage)
		}
		at := int64(id) * int64(v.pageSize)
		if _, err := f.ReadAt(b, at); err != nil {
			return 0, err
		}
		if string(b) == string(zeros) {
			continue
		}
		n, err := f.WriteAt(zeros, at)
		if wrote += int64(n); err != nil {
			return wrote, err
		}
	}
	if wrote == 0 {
		return 0, nil
	}
	return wrote, f.Sync()
}

// freeOf returns the pages that a page of the list of free ones names.
func freeOf(b []byte) ([]uint64, error) {
	count, ids := uint64(binary.NativeEndian.Uint16(b[10:])), b[pageHeader:]
	if count == 0xFFFF && len(ids) >= 8 { // so many that the first of them is the number
		count, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		return nil, fmt.Errorf("%d free pages do not fit: %w", count, errPage)
	}
	free := make([]uint64, count)
	for i := range free {
		free[i] = binary.NativeEndian.Uint64(ids[8*i:])
	}
	return free, nil
}
