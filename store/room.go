package store

import (
	"sync"
	"sync/atomic"

	"edgechat/codec"
)

// A room is what memory holds of a room: where its messages are, not what they
// say. 16 bytes for each message in the buffer, about 60 more if it has a key (the
// slices grow by doubling, so up to twice that), and some 400 for the room.
type room struct {
	name string

	mu       sync.Mutex // gives the order of the room; guards what follows
	gone     bool       // forgotten: whoever holds it looks the name up again
	head     uint64     // the last offset that was given
	slots    deque[slot]
	pending  deque[*entry] // what the last of the slots stand for: not on disk yet
	starts   []start       // never empty once there was a message
	keys     map[uint64]uint64
	keyed    deque[keyedMessage] // the messages behind keys, by offset
	aged     bool                // it is in Store.byAge, or who set this is about to put it there
	version  uint64              // of starts
	recorded uint64              // the version that the rooms bucket holds
}

// A slot stands for the message at one offset: the last slot for head, the one
// before for head-1, and so on.
type slot struct {
	seq  uint64 // key in the log; 0: the message was lost
	cost uint32 // what it counts of HistoryBytes
}

// A start says that the messages from offset first on are of an epoch. A room
// keeps the starts of all known epochs, also when those messages are gone:
// without them a cursor of an epoch that lost messages would resolve to an offset
// that later stood for another message, and a gap would pass for none.
type start struct {
	n     uint64 // of the epoch; 0 if it is not known any more
	first uint64
	name  string // of the epoch
}

// An entry is a message that is not on disk. Nothing but trimmed is changed once
// it is in the queue: readers and the subscriber of Deliver share msg.
type entry struct {
	seq     uint64
	room    *room
	msg     codec.Message
	key     string
	cost    uint32
	trimmed atomic.Bool // it left the buffer, and need not be written; set under room.mu
	inFile  bool        // it was found in the file, where no commit was known to have put it; under room.mu
}

type keyedMessage struct {
	offset uint64
	hash   uint64
}

// oldest returns the offset of the first slot: head+1 if there is none.
// The caller holds r.mu, here and below.
func (r *room) oldest() uint64 { return r.head + 1 - uint64(r.slots.len()) }

// slot returns the slot of an offset, nil if it is not in the buffer.
func (r *room) slot(offset uint64) *slot {
	if offset < r.oldest() || offset > r.head {
		return nil
	}
	return r.slots.at(int(offset - r.oldest()))
}

// waiting returns the entry of an offset that is not on disk yet, else nil.
func (r *room) waiting(offset uint64) *entry {
	first := r.head + 1 - uint64(r.pending.len())
	if offset < first || offset > r.head {
		return nil
	}
	return *r.pending.at(int(offset - first))
}

// stored returns how many of the slots are on disk, holes included.
func (r *room) stored() int { return r.slots.len() - r.pending.len() }

// epochAt returns the name of the epoch that the message at offset is of.
func (r *room) epochAt(offset uint64) string {
	for i := len(r.starts) - 1; i >= 0; i-- {
		if r.starts[i].first <= offset {
			return r.starts[i].name
		}
	}
	return ""
}

// oldestID returns the ID of the oldest message that can be read, zero if there
// is none.
func (r *room) oldestID() codec.ID {
	for i := range r.slots.len() {
		if r.slots.at(i).seq != 0 {
			offset := r.oldest() + uint64(i)
			return codec.ID{Epoch: r.epochAt(offset), Offset: offset}
		}
	}
	return codec.ID{}
}

// add appends a message of epoch e to the room, whose head it becomes.
func (r *room) add(e epoch, seq uint64, cost uint32) {
	r.head++
	r.slots.push(slot{seq: seq, cost: cost})
	if len(r.starts) == 0 || r.epochAt(r.head) != e.name {
		r.starts = append(r.starts, start{n: e.n, first: r.head, name: e.name})
		r.version++
	}
}

// remember makes key stand for the message at head.
func (r *room) remember(hash uint64) {
	if r.keys == nil {
		r.keys = make(map[uint64]uint64)
	}
	r.keys[hash] = r.head
	r.keyed.push(keyedMessage{offset: r.head, hash: hash})
}

// forget drops the keys of messages that are out of the buffer.
func (r *room) forget() {
	for r.keyed.len() > 0 && r.keyed.at(0).offset < r.oldest() {
		k := r.keyed.pop()
		if r.keys[k.hash] == k.offset {
			delete(r.keys, k.hash)
		}
	}
	if len(r.keys) == 0 {
		r.keys = nil
	}
}

// prune drops starts that no cursor can need: known is the oldest epoch whose
// cursors are taken. The start before that of a known epoch stays, since it tells that
// the room was there before.
func (r *room) prune(known uint64) {
	for len(r.starts) >= 2 && r.starts[1].n <= known && r.starts[1].first <= r.oldest() {
		r.starts = r.starts[1:]
		r.version++
	}
}

// place returns what the rooms bucket has to know. Only what is on disk counts
// as numbered there: the rest is lost if power fails now, and its offsets are free
// for the messages of a later epoch.
func (r *room) place() place {
	return place{head: r.head - uint64(r.pending.len()), starts: r.starts}
}
