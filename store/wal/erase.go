package wal

import (
	"encoding/binary"
	"hash/crc32"
)

// What a log held stays on the disk until its place is used again. Where that is not soon enough,
// Forget and Erase overwrite it, half by half, in a way that a power cut leaves nothing that a reader takes
// for damage: the first block of a half that is not in use is replaced by a mark that it is void, and flushed, before the
// rest is overwritten in any order.
//
//	void   magic "EWV1" 4, id of the log 8, CRC-32C of the 12 bytes before it 4; zeros up to a block
const (
	voidMagic = 0x31565745 // "EWV1"
	voidSize  = 16
	eraseStep = 256 << 10 // bytes that one call of Erase looks at
)

// An Erasure is how far Erase has come.
type Erasure int

const (
	Erased  Erasure = iota // nothing is left of what there was
	Erasing                // call it again
	Blocked                // a checkpoint has to come first
	InUse                  // the half in use has to be left first: have Turn, and commit a batch
)

// Forget says that nothing of what was committed up to now is to stay in the file. It may be called again.
func (l *Log) Forget() {
	for i := range l.stale {
		l.stale[i] = true
		l.erased[i] = 0
	}
	l.staleGen = l.gen
}

// Stale says if there is something to erase.
func (l *Log) Stale() bool { return l.stale[0] || l.stale[1] }

// Turn has the next batch go to the other half, if what that holds is not needed any more.
func (l *Log) Turn() { l.turn = true }

// Erase overwrites a part of what Forget was told of, and flushes it. What has sequences up to checkpointed is not needed any
// more. Any error is one of the disk, and may be followed by another call.
func (l *Log) Erase(checkpointed uint64) (Erasure, error) {
	for _, half := range []int{1 - l.active, l.active} {
		if !l.stale[half] {
			continue
		}
		from := int64(0)
		switch {
		case half != l.active && l.last[half] > checkpointed:
			return Blocked, nil
		case half != l.active && l.erased[half] == 0:
			return Erasing, l.void(half)
		case half == l.active && l.gen <= l.staleGen:
			return InUse, nil
		case half == l.active: // it was begun anew since: what is behind the last batch is old
			from = l.pos
		}
		done, err := l.wipe(half, from)
		if err != nil || !done {
			return Erasing, err
		}
		l.stale[half] = false
	}
	return Erased, nil
}

// void marks a half that is not in use.
func (l *Log) void(half int) error {
	b := make([]byte, Block)
	binary.LittleEndian.PutUint32(b, voidMagic)
	binary.LittleEndian.PutUint64(b[4:], l.id)
	binary.LittleEndian.PutUint32(b[12:], crc32.Checksum(b[:12], castagnoli))
	at := Block + int64(half)*l.half
	if at >= l.size { // nothing was ever written there
		l.erased[half] = Block
		return nil
	}
	n, err := l.f.WriteAt(b, at)
	if l.wrote += int64(n); err != nil {
		return err
	}
	if err := flush(l.f); err != nil {
		return err
	}
	l.last[half], l.erased[half] = 0, Block
	return nil
}

// wipe overwrites the next step of a half, from so many bytes on, and says if that was the last.
func (l *Log) wipe(half int, from int64) (done bool, err error) {
	begin := max(from, l.erased[half])
	start := Block + int64(half)*l.half
	end := min(begin+eraseStep, l.half, max(0, l.size-start))
	if begin < end {
		b := make([]byte, end-begin)
		if _, err := l.f.ReadAt(b, start+begin); err != nil {
			return false, err
		}
		if !allZero(b) {
			clear(b)
			n, err := l.f.WriteAt(b, start+begin)
			if l.wrote += int64(n); err != nil {
				return false, err
			}
			if err := flush(l.f); err != nil {
				return false, err
			}
		}
		l.erased[half] = end
	}
	return end >= min(l.half, max(0, l.size-start)), nil
}

func allZero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// isVoid says if the first block of a half is the mark of one that was erased.
func (c *Contents) isVoid(half int) (bool, error) {
	if ok, err := c.fill(0, Block, Block+int64(half)*c.half); !ok {
		return false, err
	}
	b := c.buf[:voidSize]
	return binary.LittleEndian.Uint32(b) == voidMagic && binary.LittleEndian.Uint64(b[4:]) == c.ID &&
		binary.LittleEndian.Uint32(b[12:]) == crc32.Checksum(b[:12], castagnoli), nil
}
