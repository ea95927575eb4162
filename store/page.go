package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// page reads a page with what overflows of it.
func (s *scan) page(id uint64, kinds uint16) ([]byte, error) {
	if id < 2 || id >= s.pages {
		return nil, fmt.Errorf("page %d of %d is referred to", id, s.pages)
	}
	b := make([]byte, s.pageSize)
	pos := int64(id) * int64(s.pageSize)
	if _, err := s.file.ReadAt(b, pos); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	flags, overflow := binary.NativeEndian.Uint16(b[8:]), uint64(binary.NativeEndian.Uint32(b[12:]))
	if got := binary.NativeEndian.Uint64(b); got != id {
		return nil, fmt.Errorf("page %d has the number %d", id, got)
	}
	if flags&kinds == 0 || flags&(flags-1) != 0 {
		return nil, fmt.Errorf("page %d is of the wrong kind (%#x)", id, flags)
	}
	if overflow >= s.pages-id {
		return nil, fmt.Errorf("page %d ends behind the last", id)
	}
	for i := id; i <= id+overflow; i++ {
		if i >= uint64(len(s.seen)) || s.seen[i] {
			if s.seen == nil { // the freelist is looked at before the tree
				break
			}
			return nil, fmt.Errorf("page %d is referred to twice, or is behind the end of the file", i)
		}
		s.seen[i] = true
	}
	if overflow > 0 {
		b = make([]byte, (1+overflow)*uint64(s.pageSize))
		if _, err := s.file.ReadAt(b, pos); err != nil {
			return nil, fmt.Errorf("page %d: %w", id, err)
		}
	}
	return b, nil
}

// An element is one of a leaf page. Key and value are part of the page.
type element struct {
	bucket     bool
	key, value []byte
	pos        int64 // of value in the file
}

// tree walks the pages below id, whose keys are from least on and below most (nil:
// any), and hands over their elements in order. What is wrong is noted and
// left out.
func (s *scan) tree(id uint64, least, most []byte, depth int, visit func(element)) {
	if depth > maxDepth {
		s.problem("page %d: the tree is too deep", id)
		return
	}
	b, err := s.page(id, flagBranch|flagLeaf)
	if err != nil {
		s.problem("%v", err)
		return
	}
	if binary.NativeEndian.Uint16(b[8:]) == flagLeaf {
		s.leaf(b, int64(id)*int64(s.pageSize), least, most, visit)
		return
	}
	count := int(binary.NativeEndian.Uint16(b[10:]))
	if count == 0 {
		s.problem("page %d: a branch of nothing", id)
	}
	keys, children := make([][]byte, 0, count), make([]uint64, 0, count)
	for i := range count {
		at := pageHeader + i*elementSize
		if at+elementSize > len(b) {
			s.problem("page %d: more elements than fit", id)
			break
		}
		key, ok := part(b, uint64(at)+uint64(binary.NativeEndian.Uint32(b[at:])), uint64(binary.NativeEndian.Uint32(b[at+4:])))
		if !ok {
			s.problem("page %d: a key beyond its end", id)
			continue
		}
		keys, children = append(keys, key), append(children, binary.NativeEndian.Uint64(b[at+8:]))
	}
	s.order(id, keys, least, most)
	for i, child := range children {
		next := most
		if i+1 < len(keys) {
			next = keys[i+1]
		}
		s.tree(child, keys[i], next, depth+1, visit)
	}
}

// leaf hands over the elements of a leaf page, which lies at pos.
func (s *scan) leaf(b []byte, pos int64, least, most []byte, visit func(element)) {
	id := binary.NativeEndian.Uint64(b)
	count := int(binary.NativeEndian.Uint16(b[10:]))
	if pageHeader+count*elementSize > len(b) {
		s.problem("page %d: more elements than fit", id)
		count = (len(b) - pageHeader) / elementSize
	}
	keys, elements := make([][]byte, 0, count), make([]element, 0, count)
	for i := range count {
		at := pageHeader + i*elementSize
		start, keySize, size := uint64(at)+uint64(binary.NativeEndian.Uint32(b[at+4:])),
			uint64(binary.NativeEndian.Uint32(b[at+8:])), uint64(binary.NativeEndian.Uint32(b[at+12:]))
		key, ok1 := part(b, start, keySize)
		value, ok2 := part(b, start+keySize, size)
		if !ok1 || !ok2 {
			s.problem("page %d: an element beyond its end", id)
			continue
		}
		keys = append(keys, key)
		elements = append(elements, element{
			bucket: binary.NativeEndian.Uint32(b[at:])&flagBucket != 0,
			key:    key, value: value, pos: pos + int64(start+keySize),
		})
	}
	s.order(id, keys, least, most)
	for _, e := range elements {
		visit(e)
	}
}

// order checks that keys ascend from least on and below most.
func (s *scan) order(id uint64, keys [][]byte, least, most []byte) {
	for i, key := range keys {
		if i == 0 && least != nil && bytes.Compare(key, least) < 0 || i > 0 && bytes.Compare(key, keys[i-1]) <= 0 ||
			most != nil && bytes.Compare(key, most) >= 0 {
			s.problem("page %d: keys out of order", id)
			return
		}
	}
}

func part(b []byte, start, size uint64) ([]byte, bool) {
	if start > uint64(len(b)) || size > uint64(len(b))-start {
		return nil, false
	}
	return b[start : start+size], true
}
