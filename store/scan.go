package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"
)

// A scan reads a bbolt file without bbolt: with read(2) in place of a map, so
// that a truncated file or a bad sector is an error and not a fault, and without trust in
// any number that it finds. It checks all that bbolt relies on when it walks the
// file at opening, which it does in a goroutine where a panic cannot be
// caught, and notes where each message lies.
//
// The format is version 2, in the byte order of the machine (bbolt,
// internal/common: page.go, meta.go, inode.go, bucket.go):
//
//	page     id 8, flags 2, count 2, overflow 4; then elements, then keys and values
//	branch   pos 4 (from the element), size of key 4, page 8
//	leaf     flags 4 (1: a bucket), pos 4, size of key 4, size of value 4
//	bucket   root page 8, sequence 8; with root 0 a page follows in the value itself
//	meta     magic 4, version 4, page size 4, flags 4, root bucket 16, freelist page 8,
//	         number of pages 8, transaction 8, FNV-1a of the 56 bytes before it 8
//
// Pages 0 and 1 are metas; the valid one with the higher transaction counts.
type scan struct {
	file     io.ReaderAt
	size     int64
	pageSize int
	pages    uint64 // as the meta says
	seen     []bool // by page

	fresh    bool // an empty file
	torn     bool // one of two metas is bad, as after a power cut in the midst of a commit
	broken   bool // the tree is, not just what lies in it
	problems []string
	unclean  int // problems, also those that are not in the list

	messages []located         // by sequence
	inTree   int               // how many of them the tree leads to
	state    []byte            // the value of stateKey, nil if there is none
	places   map[string][]byte // the rooms bucket
}

// A located is where the value of a message lies in the file.
type located struct {
	seq  uint64
	pos  int64
	size uint32
}

const (
	pageHeader  = 16
	elementSize = 16 // of both kinds
	bucketSize  = 16
	metaSize    = 64
	boltMagic   = 0xED0CDAED
	boltVersion = 2
	noFreelist  = ^uint64(0)

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagMeta     = 0x04
	flagFreelist = 0x10
	flagBucket   = 0x01 // of an element

	maxDepth    = 32 // 4 KiB branches of 2 would hold 2^32 pages
	maxProblems = 8  // that are kept as text
	maxPageSize = 64 << 10
	readAhead   = 1 << 20
)

// scanFile looks at all of f. The error is one of reading its size.
func scanFile(f *os.File) (*scan, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	s := &scan{file: f, size: info.Size(), places: make(map[string][]byte)}
	if s.size == 0 {
		s.fresh = true
		return s, nil
	}
	s.run()
	return s, nil
}

// damaged says that the file cannot be used as it is.
func (s *scan) damaged() bool { return s.unclean > 0 }

// tally counts what the tree holds.
func (s *scan) tally() tally {
	t := tally{messages: uint64(s.inTree), places: uint64(len(s.places))}
	if n := len(s.messages); n > 0 {
		t.last = s.messages[n-1].seq
	}
	return t
}

func (s *scan) problem(format string, args ...any) {
	s.unclean++
	if len(s.problems) < maxProblems {
		s.problems = append(s.problems, fmt.Sprintf(format, args...))
	}
}

func (s *scan) run() {
	s.warm()
	root, ok := s.metas()
	if ok {
		s.seen = make([]bool, min(s.pages, uint64(s.size)/uint64(s.pageSize)+1))
		before := s.unclean
		s.tree(root, nil, nil, 0, s.rootElement)
		s.broken = s.broken || s.unclean > before
		s.inTree = len(s.messages)
		if s.state == nil {
			s.problem("no state in the bucket %q", metaBucket)
		}
	}
	if s.broken {
		s.leaves()
	}
}

// warm reads the file once from front to back: the tree lies anywhere, and a
// card is ten times slower in jumps.
func (s *scan) warm() {
	buf := make([]byte, min(readAhead, s.size))
	for pos := int64(0); pos < s.size; pos += int64(len(buf)) {
		if _, err := s.file.ReadAt(buf, pos); err != nil {
			return // the walk will tell where, if it matters
		}
	}
}

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
	if list := binary.NativeEndian.Uint64(best[32:]); list != noFreelist {
		// Another program has written to the file. bbolt reads the list where a
		// panic can be caught; its pages must exist.
		if _, err := s.page(list, flagFreelist); err != nil {
			s.broken = true
			s.problem("%v", err)
		}
	}
	return binary.NativeEndian.Uint64(best[16:]), true
}

func validMeta(b []byte) bool {
	h := fnv.New64a()
	h.Write(b[:metaSize-8])
	size := binary.NativeEndian.Uint32(b[8:])
	return binary.NativeEndian.Uint32(b) == boltMagic && binary.NativeEndian.Uint32(b[4:]) == boltVersion &&
		binary.NativeEndian.Uint64(b[56:]) == h.Sum64() && size >= 1<<10 && size <= maxPageSize && size&(size-1) == 0
}

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

// rootElement enters a bucket of the root bucket.
func (s *scan) rootElement(e element) {
	if !e.bucket {
		s.problem("an entry %q outside of the buckets", e.key)
		return
	}
	var visit func(element)
	switch {
	case bytes.Equal(e.key, logBucket):
		visit = s.message
	case bytes.Equal(e.key, metaBucket):
		visit = s.metaElement
	case bytes.Equal(e.key, roomsBucket):
		visit = s.roomElement
	default:
		s.problem("a bucket %q that is not of this program", e.key)
		return
	}
	s.bucket(e, visit)
}

func (s *scan) bucket(e element, visit func(element)) {
	if len(e.value) < bucketSize {
		s.problem("bucket %q is cut off", e.key)
		return
	}
	if root := binary.NativeEndian.Uint64(e.value); root != 0 {
		s.tree(root, nil, nil, 0, visit)
		return
	}
	inline := e.value[bucketSize:]
	if len(inline) < pageHeader || binary.NativeEndian.Uint16(inline[8:]) != flagLeaf {
		s.problem("bucket %q holds no page", e.key)
		return
	}
	s.leaf(inline, e.pos+bucketSize, nil, nil, visit)
}

func (s *scan) message(e element) {
	if len(e.key) != 8 || e.bucket {
		s.problem("a message with the key %x", e.key)
		return
	}
	s.messages = append(s.messages, located{binary.BigEndian.Uint64(e.key), e.pos, uint32(len(e.value))})
}

func (s *scan) metaElement(e element) {
	if bytes.Equal(e.key, stateKey) && !e.bucket {
		s.state = slices.Clone(e.value)
	}
}

func (s *scan) roomElement(e element) {
	if !e.bucket {
		s.places[string(e.key)] = slices.Clone(e.value)
	}
}
