// Package wal is a write-ahead log of two halves: what a program has acknowledged
// and not yet put where it belongs. A batch is one write and one flush of the disk.
//
// The file is read and written with pread(2) and pwrite(2) and never mapped, so that
// a disk that fails or hangs is an error or a wait of the goroutine that asked, and nothing
// else. The one rule: a Log has one user at a time.
//
// # Layout
//
// All numbers are little endian. The file is made of blocks of 4096 bytes:
//
//	block 0                     header
//	then Half bytes             the first half
//	then Half bytes             the second half
//
//	header   magic "edgechat log\n" and 3 zeros 16, version 4, bytes of a half 8,
//	         id 8, CRC-32C of the 36 bytes before it 4
//	batch    magic "EWB1" 4, bytes of all records 4, id of the log 8, generation 8,
//	         number 8, first and last sequence 8 + 8, time (Unix ns) 8,
//	         CRC-32C of the 56 bytes before it and of the records 4; records; zeros up to a block
//	record   kind 1, bytes of the body 4, body
//
// A batch begins on a block and shares none, so that a write that fails or is cut
// short cannot harm what was flushed before it, and can be done again in the same place. A commit
// of one small message costs one block that way, and not one or two.
//
// The halves take turns. When one has no room for a batch, the other is used, with the
// next generation, if what it holds was checkpointed. Numbers count batches over
// generations and halves. So a reader begins with the half of the lower generation,
// goes on with the other, and stops where a batch does not hold: behind that nothing was
// flushed. A batch with a later number there means that one in between was
// damaged, since none is written before the one before it was flushed.
//
// The id is a random number: what another log has left on the blocks of this file, or
// somebody has put into a message, is not taken for a batch.
//
// Kinds of records are the user's, up to 127; a reader leaves out what it does not know
// from 128 on, and refuses other kinds. Version 1 knows no more than that.
//
// A half may be void instead (erase.go): what it held was given up and is being overwritten.
package wal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"time"
)

const (
	// Block is what a batch takes a multiple of, in bytes.
	Block = 4096
	// MinHalf is the least a half may have, in bytes.
	MinHalf = 16 * Block

	version     = 1
	headerMagic = "edgechat log\n\x00\x00\x00"
	headerSize  = 40
	batchMagic  = 0x31425745 // "EWB1"
	batchHeader = 60
	recordSize  = 5 // before the body
	zeroAhead   = 256 << 10
)

var (
	// ErrFull: neither half takes the batch before a checkpoint.
	ErrFull = errors.New("the log is full")
	// ErrNewer: the file was written by a later version of this package.
	ErrNewer = errors.New("written by a newer version")
	// ErrFormat: the file is no log, or its header is damaged.
	ErrFormat = errors.New("not a log")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Log is a file to which batches are appended. Create and Contents.Log make one.
type Log struct {
	f      *os.File
	id     uint64
	half   int64
	gen    uint64 // of the active half
	active int
	pos    int64 // where the next batch goes in the active half
	number uint64
	last   [2]uint64 // the highest sequence of each half
	size   int64     // of the file: behind it nothing was zeroed
	buf    []byte
	wrote  int64 // bytes, since TakeWritten

	turn     bool     // the next batch goes to the other half
	stale    [2]bool  // halves that hold what is to be erased
	staleGen uint64   // up to this generation
	erased   [2]int64 // how far that was done
}

// Create makes f, which is empty, a log of two halves of so many bytes, rounded up to
// blocks. It writes the header and flushes it; the rest is filled with zeros
// as it is reached, a quarter of a MiB at a time, so that a start does not wait for it. The first
// batch gets the generation and the number behind those given.
func Create(f *os.File, id uint64, half int64, gen, number uint64) (*Log, error) {
	half = max(MinHalf, (half+Block-1)/Block*Block)
	b := make([]byte, Block)
	copy(b, headerMagic)
	binary.LittleEndian.PutUint32(b[16:], version)
	binary.LittleEndian.PutUint64(b[20:], uint64(half))
	binary.LittleEndian.PutUint64(b[28:], id)
	seal(b)
	if _, err := f.WriteAt(b, 0); err != nil {
		return nil, err
	}
	l := &Log{f: f, id: id, half: half, gen: gen + 1, number: number, size: Block, wrote: Block}
	if err := l.zero(l.offset() + Block); err != nil {
		return nil, err
	}
	return l, flush(f)
}

func seal(b []byte) { binary.LittleEndian.PutUint32(b[36:], crc32.Checksum(b[:36], castagnoli)) }

// Room returns the most bytes that the records of one batch may take.
func (l *Log) Room() int { return int(l.half) - batchHeader }

// Used returns how many bytes of the active half are taken.
func (l *Log) Used() int64 { return l.pos }

// TakeWritten returns how many bytes were written to the file since it was called last.
func (l *Log) TakeWritten() (n int64) {
	n, l.wrote = l.wrote, 0
	return n
}

// File returns the file.
func (l *Log) File() *os.File { return l.f }

// Position returns the generation and the number of the last batch.
func (l *Log) Position() (gen, number uint64) { return l.gen, l.number }

// Begin returns a buffer to which AppendRecord adds the records of the next batch. It is
// the Log's, and used again by the next Begin.
func (l *Log) Begin() []byte {
	if cap(l.buf) < Block {
		l.buf = make([]byte, 0, Block)
	}
	return l.buf[:batchHeader]
}

// AppendRecord appends a record to what Begin returned. fill appends its body.
func AppendRecord(b []byte, kind byte, fill func(b []byte) []byte) []byte {
	start := len(b)
	b = fill(append(b, kind, 0, 0, 0, 0))
	binary.LittleEndian.PutUint32(b[start+1:], uint32(len(b)-start-recordSize))
	return b
}

// Commit writes the batch b, whose records have sequences from first to last, and flushes
// the disk. What has sequences up to checkpointed is not needed any more: a half that
// holds nothing else may be used again. Turned says that this batch began a half.
//
// The error is ErrFull, or one of the disk. After any of them the same batch may be tried
// again; nothing that was committed before is affected.
func (l *Log) Commit(b []byte, first, last, checkpointed uint64) (turned bool, err error) {
	if cap(b) <= 2*zeroAhead { // a large one is not kept
		l.buf = b[:0]
	} else {
		l.buf = nil
	}
	payload := len(b) - batchHeader
	size := int64(len(b)+Block-1) / Block * Block
	if size > l.half {
		return false, fmt.Errorf("a batch of %d bytes: %w", payload, ErrFull)
	}
	gen, active, pos := l.gen, l.active, l.pos
	turn := l.turn
	l.turn = false
	if pos+size > l.half || turn {
		other := 1 - active
		if l.last[other] > checkpointed {
			return false, ErrFull
		}
		gen, active, pos, turned = gen+1, other, 0, true
	}
	h := b[:batchHeader]
	binary.LittleEndian.PutUint32(h, batchMagic)
	binary.LittleEndian.PutUint32(h[4:], uint32(payload))
	binary.LittleEndian.PutUint64(h[8:], l.id)
	binary.LittleEndian.PutUint64(h[16:], gen)
	binary.LittleEndian.PutUint64(h[24:], l.number+1)
	binary.LittleEndian.PutUint64(h[32:], first)
	binary.LittleEndian.PutUint64(h[40:], last)
	binary.LittleEndian.PutUint64(h[48:], uint64(time.Now().UnixNano()))
	sum := crc32.Update(crc32.Checksum(h[:56], castagnoli), castagnoli, b[batchHeader:])
	binary.LittleEndian.PutUint32(h[56:], sum)
	for int64(len(b)) < size {
		b = append(b, zeros[:min(size-int64(len(b)), int64(len(zeros)))]...)
	}
	at := Block + int64(active)*l.half + pos
	if err := l.zero(at + size); err != nil {
		return false, err
	}
	n, err := l.f.WriteAt(b, at)
	l.wrote += int64(n)
	if err != nil {
		return false, err
	}
	if err := flush(l.f); err != nil {
		return false, err
	}
	if turned {
		l.last[active] = 0
		l.erased[active] = 0
	}
	l.gen, l.active, l.pos = gen, active, pos+size
	l.number++
	l.last[active] = max(l.last[active], last)
	return turned, nil
}

var zeros [Block]byte

func (l *Log) offset() int64 { return Block + int64(l.active)*l.half + l.pos }

// zero fills the file with zeros from its end up to end and some way beyond it, so that few batches
// make it longer: that costs the file system's journal a write.
func (l *Log) zero(end int64) error {
	if end <= l.size {
		return nil
	}
	until := min(max(end, l.size+zeroAhead), Block+2*l.half)
	b := make([]byte, min(until-l.size, zeroAhead/8)) // a start has nothing larger of its own
	for l.size < until {
		n, err := l.f.WriteAt(b[:min(until-l.size, int64(len(b)))], l.size)
		l.size += int64(n) / Block * Block
		l.wrote += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}
