package faultydisk

import (
	"maps"
	"math/rand/v2"
)

// Sector is the least that a device writes as a whole, in bytes.
const Sector = 512

// A Step is one entry of a record.
type Step struct {
	Kind StepKind
	At   int64  // where, of a write
	Data []byte // of a write
	Mark string // of a mark
}

// A StepKind says what a Step is.
type StepKind byte

// What a record holds.
const (
	Wrote StepKind = iota
	Flushed
	Marked // by Card.Mark: something was seen at this moment
)

// A Record is what happened to a device, in order, and what it held before.
type Record struct {
	Size  int64
	Base  map[int64][]byte // blocks that were not all zero, by where they are
	Steps []Step
}

// Keep says what a power cut leaves of what was written and not flushed.
type Keep int

// Ways in which a device loses its cache.
const (
	All  Keep = iota // nothing is lost
	None             // all is lost
	Half             // each write is lost or not, in any order
	Torn             // each sector of each write is
	Keeps
)

func (k Keep) String() string { return [...]string{"all", "none", "half", "torn"}[k] }

// A Replay makes the images that power cuts would have left. The points it is asked for must not
// go back.
type Replay struct {
	record  *Record
	flushed map[int64][]byte // as of the last flush before next
	next    int              // first step that is not in flushed
}

// block is the unit of Record.Base and Replay.
const block = 4096

// Replay begins at the beginning of the record.
func (r *Record) Replay() *Replay {
	flushed := make(map[int64][]byte, len(r.Base))
	maps.Copy(flushed, r.Base)
	return &Replay{record: r, flushed: flushed}
}

// Cut returns what the device holds if the power fails after so many steps: blocks that are not zero,
// by where they are. The random decisions are those of seed.
func (p *Replay) Cut(steps int, keep Keep, seed uint64) map[int64][]byte {
	flush := p.next
	for i := p.next; i < steps; i++ {
		if p.record.Steps[i].Kind == Flushed {
			flush = i + 1
		}
	}
	for ; p.next < flush; p.next++ {
		put(p.flushed, p.record.Steps[p.next], func() bool { return true })
	}
	image := make(map[int64][]byte, len(p.flushed))
	maps.Copy(image, p.flushed)
	random := rand.New(rand.NewPCG(seed, uint64(steps)))
	for _, s := range p.record.Steps[p.next:steps] {
		write := keep == All || keep == Half && random.IntN(2) == 0
		put(image, s, func() bool { return write || keep == Torn && random.IntN(2) == 0 })
	}
	return image
}

// put writes those sectors of a step that kept says. A block is replaced, never changed: images share them.
func put(image map[int64][]byte, s Step, kept func() bool) {
	if s.Kind != Wrote {
		return
	}
	fresh := map[int64]bool{}
	for i := 0; i < len(s.Data); i += Sector {
		if !kept() {
			continue
		}
		at := s.At + int64(i)
		start := at / block * block
		if !fresh[start] {
			b := make([]byte, block)
			copy(b, image[start])
			image[start], fresh[start] = b, true
		}
		copy(image[start][at-start:], s.Data[i:min(i+Sector, len(s.Data))])
	}
}
