package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"edgechat/codec"
)

// leaves looks for messages on every page of the file, for those that the tree
// no longer leads to. Their checksum tells if they are any. Pages that were
// given up hold messages too: of a commit that never ended, which are as good as any, or that had left
// the buffer, which will leave it again.
func (s *scan) leaves() {
	known := len(s.messages)
	b := make([]byte, s.pageSize)
	for id := uint64(2); int64(id+1)*int64(s.pageSize) <= s.size; id++ {
		pos := int64(id) * int64(s.pageSize)
		if _, err := s.file.ReadAt(b, pos); err != nil ||
			binary.NativeEndian.Uint64(b) != id || binary.NativeEndian.Uint16(b[8:]) != flagLeaf {
			continue
		}
		page := b
		if overflow := int64(binary.NativeEndian.Uint32(b[12:])); overflow > 0 {
			if overflow > s.size/int64(s.pageSize)-int64(id)-1 {
				continue
			}
			page = make([]byte, (1+overflow)*int64(s.pageSize))
			if _, err := s.file.ReadAt(page, pos); err != nil {
				continue
			}
		}
		s.leaf(page, pos, nil, nil, s.strayElement)
	}
	// Those of the tree stay in front of others with the same sequence.
	sort.SliceStable(s.messages, func(i, j int) bool { return s.messages[i].seq < s.messages[j].seq })
	if found := len(s.messages) - known; found > 0 {
		s.problem("%d copies of messages found beside the tree", found)
	}
}

func (s *scan) strayElement(e element) {
	switch {
	case !e.bucket && len(e.key) == 8:
		s.message(e)
	case e.bucket && bytes.Equal(e.key, logBucket) && len(e.value) >= bucketSize && binary.NativeEndian.Uint64(e.value) == 0:
		s.bucket(e, s.message)
	}
}

// each reads the messages that were found, in the order of their sequences and one for
// each, and notes those that are damaged. b is valid until visit returns.
func (s *scan) each(visit func(seq uint64, r *codec.Record, b []byte)) {
	var window []byte // whole pages, since messages lie in pages in order
	start := int64(0)
	last, done := uint64(0), false
	s.distinct = 0
	for _, m := range s.messages {
		if done && m.seq == last {
			continue
		}
		if end := m.pos + int64(m.size); m.pos < start || end > start+int64(len(window)) {
			start = m.pos - m.pos%int64(s.pageSize)
			n := end - start + int64(s.pageSize) - 1
			n = min(n-n%int64(s.pageSize), s.size-start)
			window = slices.Grow(window[:0], int(n))[:n]
			if _, err := s.file.ReadAt(window, start); err != nil {
				s.problem("message %d: %v", m.seq, err)
				window = window[:0]
				continue
			}
		}
		b := window[m.pos-start:][:m.size]
		r, err := codec.DecodeRecord(b)
		if err == nil && (r.Room == "" || len(r.Room) > maxRoomName || r.Message.ID.Offset == 0) {
			err = fmt.Errorf("%w: room %q, offset %d", codec.ErrRecord, r.Room, r.Message.ID.Offset)
		}
		if err != nil {
			s.problem("message %d: %v", m.seq, err)
			continue
		}
		last, done = m.seq, true
		s.distinct++
		visit(m.seq, &r, b)
	}
}
