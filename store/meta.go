package store

import (
	"encoding/binary"
	"hash/fnv"
)

// metas chooses the meta to go by and returns the root page of the root bucket.
func (s *scan) metas() (root uint64, ok bool) {
	var best []byte
	valid := 0
	// The first meta tells the page size; without it the second is looked for
	// where any size would put it.
	for _, pos := range []int64{0, pageSize, 1 << 10, 2 << 10, 8 << 10, 16 << 10, 32 << 10, 64 << 10} {
		if s.pageSize != 0 && pos != int64(s.pageSize) {
			continue
		}
		page := make([]byte, pageHeader+metaSize)
		if _, err := s.file.ReadAt(page, pos); err != nil {
			continue
		}
		b := page[pageHeader:]
		size := binary.NativeEndian.Uint32(b[8:])
		if !validMeta(b) || pos != 0 && int64(size) != pos {
			continue
		}
		// bbolt goes by a meta whatever the header of its page says.
		if id := binary.NativeEndian.Uint64(page); id != uint64(min(pos, 1)) || binary.NativeEndian.Uint16(page[8:]) != flagMeta {
			s.problem("the meta page at %d has the number %d", pos, id)
		}
		valid++
		s.pageSize = int(size)
		if best == nil || binary.NativeEndian.Uint64(b[48:]) > binary.NativeEndian.Uint64(best[48:]) {
			best = b
		}
	}
	if best == nil {
		s.broken = true
		s.pageSize = pageSize
		s.problem("no valid meta page")
		return 0, false
	}
	s.torn = valid < 2
	s.pages = binary.NativeEndian.Uint64(best[40:])
	if most := uint64(s.size) / uint64(s.pageSize); s.pages > most {
		s.broken = true
		s.problem("the file is cut off: it has %d of %d pages", most, s.pages)
	}
	if s.freelist = binary.NativeEndian.Uint64(best[32:]); s.freelist != noFreelist && s.seen == nil {
		// bbolt reads the list where a panic can be caught; its pages must exist.
		if _, err := s.page(s.freelist, flagFreelist); err != nil {
			s.broken = true
			s.problem("%v", err)
		}
	}
	return binary.NativeEndian.Uint64(best[16:]), true
}

// freePages checks that the list of free pages names none that is in use: bbolt would overwrite it.
func (s *scan) freePages() {
	if s.freelist == noFreelist || s.broken {
		return
	}
	walk := newWalker(&view{file: s.file, pageSize: s.pageSize, pages: s.pages})
	b, err := walk.page(s.freelist)
	if err != nil {
		s.problem("%v", err)
		return
	}
	count, ids := uint64(binary.NativeEndian.Uint16(b[10:])), b[pageHeader:]
	if count == 0xFFFF && len(ids) >= 8 { // so many that the first of them is the number
		count, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if count > uint64(len(ids)/8) {
		s.problem("page %d: %d free pages do not fit", s.freelist, count)
		return
	}
	for i := range count {
		id := binary.NativeEndian.Uint64(ids[8*i:])
		if id < 2 || id >= s.pages || id < uint64(len(s.seen)) && s.seen[id] {
			s.problem("page %d: page %d is not free", s.freelist, id)
			return
		}
	}
}

func validMeta(b []byte) bool {
	h := fnv.New64a()
	h.Write(b[:metaSize-8])
	size := binary.NativeEndian.Uint32(b[8:])
	return binary.NativeEndian.Uint32(b) == boltMagic && binary.NativeEndian.Uint32(b[4:]) == boltVersion &&
		binary.NativeEndian.Uint64(b[56:]) == h.Sum64() && size >= 1<<10 && size <= maxPageSize && size&(size-1) == 0
}
