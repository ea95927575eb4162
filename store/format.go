package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// The history file is a bbolt database of three buckets:
//
//	log    sequence (8 bytes, big endian) -> codec.AppendRecord, the messages of all rooms
//	meta   "state" -> the state, below
//	rooms  name of a room -> its place, below: what its messages alone no longer tell
//
// State and place end with the CRC-32C (big endian) of all before it; numbers
// are unsigned varints (encoding/binary), texts a varint of their length and their bytes.
//
//	state  version 4, flags (1: closed in order, 2: of a follower, 4: the next epoch that a follower learns of is a fork), number of messages and of places in
//	       the file, floor, checkpoint, id of the store, runs, changes, time (Unix ns), identity (a text),
//	       number of epochs, then for each, oldest first: n, flags (1: lossy, 2: forked), name
//	place  version 2, head, left, number of starts, then for each, in order: n, first offset, name
//
// Version 3 of the state is the same, of before records say that a name is verified; version 2 too, of before there were revisions. Version 1 of both is of before there was a log. Its state has no fields from checkpoint to
// identity, its place none that says from which offset on there are messages of the buffer.
//
// The state is written with every transaction, which costs no page: it is small enough
// to lie in the root page, which every one replaces. bbolt has no checksums of pages; by the
// numbers in the state even a page that has lost elements is noticed.
//
// The log (package wal) has records of these kinds:
//
//	1  a message: its sequence less the first of the batch, a varint; codec.AppendRecord
//	2  a start of the store: a state, of which messages and places mean nothing
//	3  a checkpoint is on disk: changes of the state, a varint
//	4  a room whose newest messages left the buffer before they were written: name (a text), place
//	5  rooms were forgotten: floor, a varint
//	6  what displaced some that were passed over comes with a later batch: no body
//	7  a revision: as 1
//
//	128  what displaced messages that batches before this one passed over was lost: no body
//	129  content is no more, by revisions that were displaced before they were written: sequences of the history, varints
//	130  the files may have what revisions up to a sequence took away, also if the log does not have these: a varint
//
// A revision is an edit or a deletion of an earlier message of its room, and has its own sequence and number. In the
// history it is a record as any other; the record of what it changes loses its content in the same transaction.
//
// Kinds from 8 on are left for what several nodes agree on.
const (
	formatVersion = 4
	placeVersion  = 2
	flagClean     = 1
	flagFollows   = 2
	flagForks     = 4
	flagLossy     = 1
	flagForked    = 2

	recordMessage    = 1
	recordStart      = 2
	recordCheckpoint = 3
	recordPlace      = 4
	recordFloor      = 5
	recordOpen       = 6
	recordRevision   = 7

	recordNeverClosed = 128 // from here on versions that do not know a kind pass it over
	recordReplaced    = 129
	recordSoiled      = 130
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
	old        bool // of version 1
	clean      bool // closed in order: every number that was given is in the file
	follows    bool // a follower wrote it
	forks      bool // it is of a backup, and what follows may begin before the end of what was there
	tally      tally
	floor      uint64 // the highest offset of any room that was forgotten
	checkpoint uint64 // what the log has up to this sequence is in the file, or has left the buffer
	id         uint64 // of the store: log and history file have the same
	runs       uint64 // how often the store was opened
	changes    uint64 // how often the file was written to
	time       uint64 // when that was last, by the clock of the board
	identity   string // of the file, as identify says
	epochs     epochs
}

// A tally counts what the file holds.
type tally struct {
	messages, places uint64
}

// newest returns the number of the newest epoch, 0 if none is known.
func (s *state) newest() uint64 {
	if len(s.epochs) == 0 {
		return 0
	}
	return s.epochs.now().n
}

func (s *state) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, formatVersion, flagIf(s.clean, flagClean)|flagIf(s.follows, flagFollows)|flagIf(s.forks, flagForks))
	for _, v := range []uint64{s.tally.messages, s.tally.places, s.floor, s.checkpoint, s.id, s.runs, s.changes, s.time} {
		dst = binary.AppendUvarint(dst, v)
	}
	dst = appendText(dst, s.identity)
	dst = binary.AppendUvarint(dst, uint64(len(s.epochs)))
	for _, e := range s.epochs {
		dst = binary.AppendUvarint(dst, e.n)
		dst = append(dst, flagIf(e.lossy, flagLossy)|flagIf(e.forked, flagForked))
		dst = appendText(dst, e.name)
	}
	return appendChecksum(dst, start)
}

// decodeState reads a state of this version or the one before. The error is ErrNewer for
// that of a later one.
func decodeState(b []byte) (state, error) {
	r, version, err := newFields(b)
	if err != nil {
		return state{}, err
	}
	if version > formatVersion {
		return state{}, fmt.Errorf("%w: its format is %d, this program's is %d", ErrNewer, version, formatVersion)
	}
	s := state{old: version == 1}
	flags := r.byte()
	s.clean, s.follows, s.forks = flags&flagClean != 0, flags&flagFollows != 0, flags&flagForks != 0
	s.tally = tally{messages: r.number(), places: r.number()}
	s.floor = r.number()
	if version > 1 {
		s.checkpoint, s.id, s.runs, s.changes, s.time = r.number(), r.number(), r.number(), r.number(), r.number()
		s.identity = r.text()
	}
	for range r.count(maxEpochs) {
		e := epoch{n: r.number()}
		flags := r.byte()
		e.lossy, e.forked, e.name = flags&flagLossy != 0, flags&flagForked != 0, r.text()
		s.epochs = append(s.epochs, e)
	}
	if len(s.epochs) == 0 || version == 0 {
		r.bad = true
	}
	return s, r.end()
}

// A place is where a room stands in the numbers.
type place struct {
	head   uint64 // at least this much was numbered
	left   uint64 // what has lower offsets left the buffer, also if it is in the file
	starts []start
}

func (p *place) append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, placeVersion)
	dst = binary.AppendUvarint(dst, p.head)
	dst = binary.AppendUvarint(dst, p.left)
	dst = binary.AppendUvarint(dst, uint64(len(p.starts)))
	for _, s := range p.starts {
		dst = binary.AppendUvarint(dst, s.n)
		dst = binary.AppendUvarint(dst, s.first)
		dst = appendText(dst, s.name)
	}
	return appendChecksum(dst, start)
}

func decodePlace(b []byte) (place, error) {
	r, version, err := newFields(b)
	if err == nil && (version == 0 || version > placeVersion) {
		err = fmt.Errorf("version %d: %w", version, errFormat)
	}
	if err != nil {
		return place{}, err
	}
	p := place{head: r.number()}
	if version > 1 {
		p.left = r.number()
	}
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

// newFields checks the checksum and returns the version. The checksum comes first, so
// that damage is never taken for another version.
func newFields(b []byte) (*fields, byte, error) {
	if len(b) < 5 {
		return nil, 0, fmt.Errorf("%d bytes: %w", len(b), errFormat)
	}
	body, sum := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if crc32.Checksum(body, castagnoli) != sum {
		return nil, 0, errors.New("checksum does not match")
	}
	return &fields{b: body[1:]}, body[0], nil
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

// state returns what the history is to say of the store, save tally, checkpoint and changes.
func (s *Store) state(clean bool) state {
	s.roomsMu.RLock()
	defer s.roomsMu.RUnlock()
	return state{clean: clean && !s.cfg.Follow, follows: s.cfg.Follow, forks: s.forks.Load(), floor: s.floor, epochs: *s.epochs.Load(), id: s.id, runs: s.loggedRuns.Load(), time: uint64(time.Now().UnixNano())}
}
