package store

import (
	"sync"
	"sync/atomic"

	"edgechat/codec"
)

// A room is what memory holds of a room: where its messages are, not what they
// say. 24 bytes for each message in the buffer, about 60 more if it has a key and as many for a revision (the
// slices grow by doubling, so up to twice that), and roomCost for the room.
type room struct {
	name string

	mu        sync.Mutex  // gives the order of the room; guards what follows
	gone      atomic.Bool // forgotten: whoever holds it looks the name up again; set under mu
	head      uint64      // the last offset that was given
	logged    uint64      // the last offset that the log or the history knows of
	left      uint64      // what has lower offsets left the buffer, also if the history has some of it
	newest    uint64      // the last sequence
	bytes     int64       // of its messages, by costOf
	slots     deque[slot]
	pending   deque[*entry] // what the last of the slots stand for: not in the history yet; nil if it was lost
	starts    []start       // never empty once there was a message
	keys      map[uint64]uint64
	keyed     deque[keyedMessage] // the messages behind keys, by offset
	revised   map[uint64]revision // by the offset of what they change; nil if there are none
	revisions map[uint64]uint64   // what each changes
	version   uint64              // of starts
	recorded  uint64              // the version that the rooms bucket holds

	ranked bool   // it is in Store.shares, or who set this is about to put it there
	share  int64  // what bytes were when its place there was found; set under trimMu as well
	rank   int    // its place; guarded by trimMu
	untold bool   // it is in Store.untold; guarded by queueMu
	passed uint64 // the last offset that was passed over; guarded by queueMu
	told   bool   // it is in Store.told; guarded by queueMu
	placed uint64 // the last offset that a place in the log said was passed over; guarded by queueMu
}

// A slot stands for the message at one offset: the last slot for head, the one
// before for head-1, and so on.
type slot struct {
	seq    uint64 // key in the log; 0: the message was lost
	author uint64 // who may change it
	cost   uint32 // what it counts of HistoryBytes
	text   uint32 // bytes of that which are its content
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

// An entry is a message that is not in the history. Nothing but trimmed and displacer is changed once
// it is in the queue: readers and the subscriber of Deliver share msg.
type entry struct {
	seq       uint64
	room      *room
	msg       codec.Message
	key       string
	cost      uint32
	replaces  uint64        // of a revision: the sequence whose content is no more; 0 if there is none
	inFile    bool          // it was found in the history, where no checkpoint was known to have put it; under room.mu
	trimmed   atomic.Bool   // it left the buffer, and need not be written; set under room.mu
	displacer atomic.Uint64 // what displaced it has this sequence at most; set before trimmed
}

// displaced says that e left the buffer, and that what displaced it has a sequence up to this.
func (e *entry) displaced(by uint64) bool { return e.trimmed.Load() && e.displacer.Load() <= by }

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

// waiting returns the entry of an offset that is not in the history yet, else nil.
func (r *room) waiting(offset uint64) *entry {
	first := r.head + 1 - uint64(r.pending.len())
	if offset < first || offset > r.head {
		return nil
	}
	return *r.pending.at(int(offset - first))
}

// stored returns how many of the slots are in the history, holes included.
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
func (r *room) add(e epoch, seq uint64, m *codec.Message, cost uint32) {
	r.head++
	r.newest = seq
	r.bytes += int64(cost)
	r.slots.push(slot{seq: seq, author: m.Author, cost: cost, text: uint32(len(m.Content))})
	// A message that left the buffer may still be in the file, while the room's starts begin behind it.
	if n := len(r.starts); n == 0 || r.head >= r.starts[n-1].first && r.starts[n-1].name != e.name {
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

// leave notes that what has offsets below this has left the buffer.
func (r *room) leave(left uint64) {
	if left > r.left {
		r.left = left
		r.version++
	}
}

// unkey forgets the key of a message that was lost, so that who sends it again is not told that
// it is there.
func (r *room) unkey(offset uint64) {
	for i := range r.keyed.len() {
		if k := r.keyed.at(i); k.offset == offset && r.keys[k.hash] == offset {
			delete(r.keys, k.hash)
		}
	}
}

// place returns what the rooms bucket has to know. Only what is in the log counts
// as numbered there: the rest is lost if power fails now, and its offsets are free
// for the messages of a later epoch.
func (r *room) place() place { return place{head: r.logged, left: r.left, starts: r.starts} }
