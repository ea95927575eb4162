package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"sync"
)

// A view is the history file as one transaction left it. Readers go by it with pread(2)
// and without bbolt, whose map would have them wait for the card in a page fault,
// which stops every goroutine of the process.
//
// The pages of a view stay as they are during the next transaction, since bbolt overwrites none that
// the one before refers to, and are lost in the one after that. A reader takes no
// lock: whatever he finds is known by its checksum, and if something does not fit he looks if there is
// a newer view.
type view struct {
	file     io.ReaderAt
	named    *os.File // the same, for its name and identity
	pageSize int
	pages    uint64
	root     uint64 // the page of the root bucket
	freelist uint64
	log      bucketAt
	rooms    bucketAt
}

// A bucketAt is where a bucket begins: on a page, or within the page of its parent.
type bucketAt struct {
	root   uint64
	inline []byte
}

// openView reads the metas and the root of a file that was scanned, or was written by a
// transaction since.
func openView(f *os.File) (*view, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	sc := &scan{file: f, size: info.Size()}
	root, ok := sc.metas()
	if !ok {
		return nil, errors.New("no valid meta page")
	}
	v := &view{file: f, named: f, pageSize: sc.pageSize, pages: sc.pages, root: root, freelist: sc.freelist}
	w := newWalker(v)
	for name, at := range map[string]*bucketAt{string(logBucket): &v.log, string(roomsBucket): &v.rooms} {
		b, err := w.get(bucketAt{root: root}, []byte(name))
		if err != nil {
			return nil, err
		}
		if b == nil { // not made yet
			continue
		}
		if len(b) < bucketSize {
			return nil, fmt.Errorf("bucket %q is cut off", name)
		}
		if at.root = binary.NativeEndian.Uint64(b); at.root == 0 {
			at.inline = slices.Clone(b[bucketSize:])
		}
	}
	return v, nil
}

// A walker finds values in a view, and keeps the pages that it has read.
type walker struct {
	v     *view
	cache map[uint64][]byte
	arena arena // where pages are put
	// The pages that a transaction would look at to change what was touched.
	touched map[uint64]int // how many pages there are from each on
}

func newWalker(v *view) *walker {
	return &walker{v: v, cache: make(map[uint64][]byte)}
}

// walkers are those of reads that have ended.
var walkers = sync.Pool{New: func() any { return newWalker(nil) }}

// lend calls f with a walker whose pages are those of a read before: values that it finds are gone when f returns.
func lend(v *view, f func(*walker)) {
	w := walkers.Get().(*walker)
	w.v = v
	f(w)
	w.v = nil
	clear(w.cache)
	w.arena.reset()
	walkers.Put(w)
}

var errPage = errors.New("the file is damaged")

func (w *walker) page(id uint64) ([]byte, error) {
	if b := w.cache[id]; b != nil {
		return b, nil
	}
	v := w.v
	if id < 2 || id >= v.pages {
		return nil, fmt.Errorf("page %d of %d is referred to: %w", id, v.pages, errPage)
	}
	b := w.arena.take(v.pageSize)
	at := int64(id) * int64(v.pageSize)
	if _, err := v.file.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	if got := binary.NativeEndian.Uint64(b); got != id {
		return nil, fmt.Errorf("page %d has the number %d: %w", id, got, errPage)
	}
	if overflow := uint64(binary.NativeEndian.Uint32(b[12:])); overflow > 0 {
		if overflow >= v.pages-id {
			return nil, fmt.Errorf("page %d ends behind the last: %w", id, errPage)
		}
		b = w.arena.take(int((1 + overflow) * uint64(v.pageSize)))
		if _, err := v.file.ReadAt(b, at); err != nil {
			return nil, fmt.Errorf("page %d: %w", id, err)
		}
	}
	w.cache[id] = b
	return b, nil
}

// get returns the value of a key, nil if there is none. It is part of a page.
func (w *walker) get(at bucketAt, key []byte) ([]byte, error) {
	b := at.inline
	for depth := 0; ; depth++ {
		if b == nil {
			if at.root == 0 {
				return nil, nil
			}
			var err error
			if b, err = w.page(at.root); err != nil {
				return nil, err
			}
			w.touch(at.root, b)
		}
		if len(b) < pageHeader || depth > maxDepth {
			return nil, errPage
		}
		count := int(binary.NativeEndian.Uint16(b[10:]))
		if pageHeader+count*elementSize > len(b) || count == 0 && depth > 0 {
			return nil, fmt.Errorf("%d elements: %w", count, errPage)
		}
		flags := binary.NativeEndian.Uint16(b[8:])
		bad := false
		i := sort.Search(count, func(i int) bool {
			k, ok := elementKey(b, i, flags)
			bad = bad || !ok
			return bytes.Compare(k, key) > 0
		}) - 1 // the last that is not above key
		if bad {
			return nil, fmt.Errorf("a key beyond the end of its page: %w", errPage)
		}
		switch flags {
		case flagLeaf:
			if i < 0 {
				return nil, nil
			}
			if k, _ := elementKey(b, i, flags); !bytes.Equal(k, key) {
				return nil, nil
			}
			at := pageHeader + i*elementSize
			start := uint64(at) + uint64(binary.NativeEndian.Uint32(b[at+4:])) + uint64(binary.NativeEndian.Uint32(b[at+8:]))
			value, ok := part(b, start, uint64(binary.NativeEndian.Uint32(b[at+12:])))
			if !ok {
				return nil, fmt.Errorf("a value beyond the end of its page: %w", errPage)
			}
			return value, nil
		case flagBranch:
			i = max(i, 0)
			child := func(i int) uint64 { return binary.NativeEndian.Uint64(b[pageHeader+i*elementSize+8:]) }
			if w.touched != nil { // a page that becomes too empty is merged with the one beside it
				for j := max(0, i-1); j <= min(count-1, i+1); j++ {
					if b, err := w.page(child(j)); err == nil {
						w.touch(child(j), b)
					}
				}
			}
			at.root, b = child(i), nil
		default:
			return nil, fmt.Errorf("a page of the wrong kind (%#x): %w", flags, errPage)
		}
	}
}

// touch notes a page.
func (w *walker) touch(id uint64, b []byte) {
	if w.touched != nil && id != 0 {
		w.touched[id] = len(b) / w.v.pageSize
	}
}

func elementKey(b []byte, i int, flags uint16) ([]byte, bool) {
	at := pageHeader + i*elementSize
	if flags == flagLeaf {
		return part(b, uint64(at)+uint64(binary.NativeEndian.Uint32(b[at+4:])), uint64(binary.NativeEndian.Uint32(b[at+8:])))
	}
	return part(b, uint64(at)+uint64(binary.NativeEndian.Uint32(b[at:])), uint64(binary.NativeEndian.Uint32(b[at+4:])))
}
