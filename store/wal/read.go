package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"
)

// A Batch is one that was committed. Records is valid until the next is read.
type Batch struct {
	First, Last uint64 // sequences
	// Missing is how many in front of it are damaged. Where First is checkpointed they are nothing but what the batch has
	// left that a power cut let begin the half again: what was in front of this one had no later sequences.
	Missing int
	Time    time.Time
	Records []byte
}

// Contents is what a log holds, and where it ends.
type Contents struct {
	ID      uint64
	Batches int
	Last    time.Time // when the last batch was written; zero without any
	Missing int       // batches that are damaged, though later ones hold, needed or not

	file   io.ReaderAt
	half   int64
	size   int64
	gen    uint64
	active int
	pos    int64
	number uint64
	last   [2]uint64
	void   [2]bool // the half was given up; whether all of it was erased is not known
	buf    []byte
}

// Read looks at a log and hands over its batches in order; visit may be nil. An error of
// visit ends it. Thorough has it look for batches behind the end, which takes reading all of
// the file: it is how damage is told from a write that was cut short.
//
// The error is ErrFormat, ErrNewer, one of the disk or of visit.
func Read(f io.ReaderAt, size int64, thorough bool, visit func(Batch) error) (*Contents, error) {
	b := make([]byte, Block)
	if n, err := f.ReadAt(b, 0); err != nil && !(errors.Is(err, io.EOF) && n >= headerSize) {
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%d bytes: %w", size, ErrFormat)
		}
		return nil, err
	}
	if string(b[:len(headerMagic)]) != headerMagic || crc32.Checksum(b[:36], castagnoli) != binary.LittleEndian.Uint32(b[36:]) {
		return nil, fmt.Errorf("the header: %w", ErrFormat)
	}
	if v := binary.LittleEndian.Uint32(b[16:]); v != version {
		return nil, fmt.Errorf("version %d: %w", v, ErrNewer)
	}
	half := int64(binary.LittleEndian.Uint64(b[20:]))
	if half < MinHalf || half%Block != 0 || half > 1<<40 {
		return nil, fmt.Errorf("halves of %d bytes: %w", half, ErrFormat)
	}
	c := &Contents{ID: binary.LittleEndian.Uint64(b[28:]), file: f, half: half, size: size, buf: b}
	if visit == nil {
		visit = func(Batch) error { return nil }
	}

	// The half with the lower generation first.
	var gens [2]uint64
	for i := range gens {
		gen, err := c.generation(i, thorough)
		if err != nil {
			return nil, err
		}
		gens[i] = gen
	}
	order := []int{0, 1}
	if gens[0] > gens[1] {
		order = []int{1, 0}
	}
	for _, i := range order {
		if gens[i] == 0 {
			continue
		}
		if err := c.readHalf(i, gens[i], thorough, visit); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// generation returns that of the batches in a half, 0 if there are none.
func (c *Contents) generation(half int, thorough bool) (uint64, error) {
	var err error
	if c.void[half], err = c.isVoid(half); c.void[half] || err != nil {
		return 0, err
	}
	for pos := int64(0); pos < c.half; pos += Block {
		h, ok, err := c.batch(half, pos)
		if err != nil {
			return 0, err
		}
		if ok {
			return h.gen, nil
		}
		if !thorough || Block+int64(half)*c.half+pos >= c.size {
			break
		}
	}
	return 0, nil
}

func (c *Contents) readHalf(half int, gen uint64, thorough bool, visit func(Batch) error) error {
	c.gen, c.active, c.pos = gen, half, 0
	for pos := int64(0); pos < c.half; {
		h, ok, err := c.batch(half, pos)
		if err != nil {
			return err
		}
		if !ok || h.gen != gen || h.number <= c.number {
			if !thorough || Block+int64(half)*c.half+pos >= c.size {
				break
			}
			pos += Block
			continue
		}
		if c.Batches > 0 {
			h.Missing = int(h.number - c.number - 1)
			c.Missing += h.Missing
		}
		c.number = h.number
		c.Batches++
		c.Last = h.Time
		c.last[half] = max(c.last[half], h.Last)
		pos += h.size
		c.pos = pos
		if err := visit(h.Batch); err != nil {
			return err
		}
	}
	return nil
}

type header struct {
	Batch
	gen, number uint64
	size        int64 // with the header, in blocks
}

// batch reads the batch at pos, and says if it holds.
func (c *Contents) batch(half int, pos int64) (h header, ok bool, err error) {
	at := Block + int64(half)*c.half + pos
	if ok, err := c.fill(0, Block, at); !ok {
		return h, false, err
	}
	b := c.buf
	if binary.LittleEndian.Uint32(b) != batchMagic || binary.LittleEndian.Uint64(b[8:]) != c.ID {
		return h, false, nil
	}
	end := int64(batchHeader) + int64(binary.LittleEndian.Uint32(b[4:]))
	h.size = (end + Block - 1) / Block * Block
	if pos+h.size > c.half {
		return h, false, nil
	}
	if h.size > Block {
		if int64(cap(c.buf)) < h.size {
			c.buf = append(make([]byte, 0, h.size), c.buf...)
		}
		c.buf = c.buf[:h.size]
		if ok, err := c.fill(Block, h.size, at); !ok {
			c.buf = c.buf[:Block]
			return h, false, err
		}
	}
	b = c.buf[:end]
	c.buf = c.buf[:Block]
	sum := crc32.Update(crc32.Checksum(b[:56], castagnoli), castagnoli, b[batchHeader:])
	if sum != binary.LittleEndian.Uint32(b[56:]) {
		return h, false, nil
	}
	h.gen, h.number = binary.LittleEndian.Uint64(b[16:]), binary.LittleEndian.Uint64(b[24:])
	h.First, h.Last = binary.LittleEndian.Uint64(b[32:]), binary.LittleEndian.Uint64(b[40:])
	h.Time = time.Unix(0, int64(binary.LittleEndian.Uint64(b[48:])))
	h.Records = b[batchHeader:]
	return h, h.gen > 0, nil
}

// fill reads bytes from to to of a batch into buf; false behind the end of the file.
func (c *Contents) fill(from, to, at int64) (bool, error) {
	if at+to > c.size {
		return false, nil
	}
	_, err := c.file.ReadAt(c.buf[from:to], at+from)
	if errors.Is(err, io.EOF) {
		return false, nil
	}
	return err == nil, err
}

// Log returns the log to go on with in f, which was read. What follows the last batch that holds
// is overwritten.
func (c *Contents) Log(f *os.File) *Log {
	l := &Log{f: f, id: c.ID, half: c.half, gen: max(1, c.gen), active: c.active, pos: c.pos, number: c.number, last: c.last}
	l.size = min(c.size/Block*Block, Block+2*c.half)
	l.stale = c.void
	return l
}

// Each hands over the records of a batch: kind and body. It stops at what is no
// record, which the checksum of a batch does not let happen.
func (b Batch) Each(visit func(kind byte, body []byte) error) error {
	for r := b.Records; len(r) > 0; {
		if len(r) < recordSize {
			return fmt.Errorf("%d bytes where a record should be: %w", len(r), ErrFormat)
		}
		n := int(binary.LittleEndian.Uint32(r[1:]))
		if n > len(r)-recordSize {
			return fmt.Errorf("a record of %d bytes in %d: %w", n, len(r), ErrFormat)
		}
		if err := visit(r[0], r[recordSize:recordSize+n]); err != nil {
			return err
		}
		r = r[recordSize+n:]
	}
	return nil
}
