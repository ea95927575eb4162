package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
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
	freelist uint64 // its page, noFreelist if it is not in the file
	seen     []bool // by page

	fresh    bool // an empty file
	backup   bool // one that Backup made
	torn     bool // one of two metas is bad, as after a power cut in the midst of a commit
	broken   bool // the tree is, not just what lies in it
	alien    bool // there is a bucket of another program
	problems []string
	unclean  int // problems, also those that are not in the list

	messages []located         // by sequence
	inTree   int               // how many of them the tree leads to
	distinct int               // how many there are, as each found
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
	if s.backup = isBackup(f); s.backup {
		return s, nil
	}
	s.run()
	return s, nil
}

// unfinished says that this is what bbolt leaves of a file that it could not make to the end: a tree without
// anything in it, or four pages, each of them as it makes it or not written yet.
func (s *scan) unfinished() bool {
	if s.size == 0 || s.state != nil || len(s.messages) > 0 || len(s.places) > 0 {
		return false
	}
	if !s.broken && s.unclean == 1 { // there is no state, and that is all
		return true
	}
	if s.size > 4*pageSize {
		return false
	}
	b := make([]byte, s.size)
	if _, err := s.file.ReadAt(b, 0); err != nil {
		return false
	}
	for id := uint64(0); len(b) > 0; id++ {
		page := b[:min(pageSize, len(b))]
		b = b[len(page):]
		made := len(page) == pageSize && binary.NativeEndian.Uint64(page) == id && binary.NativeEndian.Uint16(page[10:]) == 0
		if !made && bytes.Count(page, []byte{0}) < len(page) {
			return false
		}
	}
	return true
}

// foreign says that nothing in the file shows that this program wrote it. That bbolt wrote it shows nothing, if
// its tree is whole: others use bbolt.
func (s *scan) foreign() bool {
	if s.fresh {
		return true
	}
	bolt := false
	for page := range int64(2) {
		var magic [4]byte
		_, err := s.file.ReadAt(magic[:], page*pageSize+pageHeader)
		bolt = bolt || err == nil && binary.NativeEndian.Uint32(magic[:]) == boltMagic
	}
	return s.state == nil && len(s.messages) == 0 && len(s.places) == 0 && (!bolt || s.alien) && !s.unfinished()
}

// readState returns the state, and notes what is wrong with it: it has no epochs then. The error is
// ErrNewer alone.
func (s *scan) readState() (state, error) {
	if s.state == nil {
		return state{}, nil
	}
	st, err := decodeState(s.state)
	if errors.Is(err, ErrNewer) {
		return state{}, err
	}
	if err != nil {
		s.problem("state: %v", err)
		return state{}, nil
	}
	return st, nil
}

// damaged says that the file cannot be used as it is.
func (s *scan) damaged() bool { return s.unclean > 0 }

// tally counts what the tree holds.
func (s *scan) tally() tally {
	return tally{messages: uint64(s.inTree), places: uint64(len(s.places))}
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
		s.freePages()
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
		s.alien = true
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
