package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// The file is a bbolt database of three buckets:
//
//	log    sequence (8 bytes, big endian) -> codec.AppendRecord, the messages of all rooms
//	meta   "state" -> the state, below
//	rooms  name of a room -> its place, below: what its messages alone no longer tell
//
// State and place end with the CRC-32C (big endian) of all before it; numbers
// are unsigned varints (encoding/binary), texts a varint of their length and their bytes.
//
//	state  version 1, flags (1: closed in order), number of messages and of places in
//	       the file, floor, number of epochs, then for each, oldest first: n, flags
//	       (1: lossy), name
//	place  version 1, head, number of starts, then for each, in order: n, first offset, name
//
// The state is written with every commit, which costs no page: it is small enough
// to lie in the root page, which every commit replaces. bbolt has no checksums of pages; by the
// numbers in the state even a page that has lost elements is noticed.
const (
	formatVersion = 1
	flagClean     = 1
	flagLossy     = 1
)

var (
	logBucket   = []byte("log")
	metaBucket  = []byte("meta")
	roomsBucket = []byte("rooms")
	stateKey    = []byte("state")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A state is what the store as a whole has to know.
type state struct {
	clean  bool // closed in order: every number that was given is in the file
	tally  tally
	floor  uint64 // the highest offset of any room that was forgotten
	epochs epochs
}

// A tally counts what the file holds.
type tally struct {
	messages, places uint64
}

func (s *state) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, formatVersion, flagIf(s.clean, flagClean))
	for _, v := range []uint64{s.tally.messages, s.tally.places, s.floor} {
		dst = binary.AppendUvarint(dst, v)
	}
	dst = binary.AppendUvarint(dst, uint64(len(s.epochs)))
	for _, e := range s.epochs {
		dst = binary.AppendUvarint(dst, e.n)
		dst = append(dst, flagIf(e.lossy, flagLossy))
		dst = appendText(dst, e.name)
	}
	return appendChecksum(dst, start)
}

func decodeState(b []byte) (state, error) {
	r, err := newFields(b)
	if err != nil {
		return state{}, err
	}
	s := state{
		clean: r.byte()&flagClean != 0,
		tally: tally{messages: r.number(), places: r.number()},
		floor: r.number(),
	}
	for range r.count(maxEpochs) {
		s.epochs = append(s.epochs, epoch{n: r.number(), lossy: r.byte()&flagLossy != 0, name: r.text()})
	}
	if len(s.epochs) == 0 {
		r.bad = true
	}
	return s, r.end()
}

// A place is where a room stands in the numbers.
type place struct {
	head   uint64 // at least this much was numbered
	starts []start
}

func (p *place) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, formatVersion)
	dst = binary.AppendUvarint(dst, p.head)
	dst = binary.AppendUvarint(dst, uint64(len(p.starts)))
	for _, s := range p.starts {
		dst = binary.AppendUvarint(dst, s.n)
		dst = binary.AppendUvarint(dst, s.first)
		dst = appendText(dst, s.name)
	}
	return appendChecksum(dst, start)
}

func decodePlace(b []byte) (place, error) {
	r, err := newFields(b)
	if err != nil {
		return place{}, err
	}
	p := place{head: r.number()}
	for range r.count(maxHistory) {
		p.starts = append(p.starts, start{n: r.number(), first: r.number(), name: r.text()})
	}
	if len(p.starts) == 0 {
		r.bad = true
	}
	return p, r.end()
}

func flagIf(set bool, bit byte) byte {
	if set {
		return bit
	}
	return 0
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

func appendChecksum(dst []byte, start int) []byte {
	return binary.BigEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// fields reads what was appended, and remembers if it ran out.
type fields struct {
	b   []byte
	bad bool
}

var errFormat = errors.New("not what this version writes")

// newFields checks version and checksum.
func newFields(b []byte) (*fields, error) {
	if len(b) < 5 {
		return nil, fmt.Errorf("%d bytes: %w", len(b), errFormat)
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, errors.New("checksum does not match")
	}
	if body[0] != formatVersion {
		return nil, fmt.Errorf("version %d: %w", body[0], errFormat)
	}
	return &fields{b: body[1:]}, nil
}

func (r *fields) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *fields) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count reads how many elements follow: no more than most, nor than there are bytes.
func (r *fields) count(most int) int {
	n := r.number()
	if n > uint64(min(most, len(r.b))) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}

func (r *fields) text() string {
	n := r.count(maxRoomName)
	v := string(r.b[:n])
	r.b = r.b[n:]
	return v
}

func (r *fields) end() error {
	if r.bad || len(r.b) > 0 {
		return errFormat
	}
	return nil
}
