package hub

import "edgechat/codec"

// A Log numbers, keeps and delivers the messages of all rooms. The hub declares
// what it needs; package store is the Log of one process, package cluster that
// of several. What every Log promises is tested by package hub/logtest.
//
// All methods may be called from any goroutine.
type Log interface {
	// Deliver names the function that is to see every message of every room,
	// in the order of offsets within a room and one at a time within a room; and the one that is told
	// that a room goes on behind head, which may be before messages that were delivered: they are lost, and
	// their offsets are given again in another epoch. Who was told of them has to come back with his cursor, which
	// stays valid.
	//
	// Deliver is called once, before any other method. Neither function blocks; they may be
	// called from within Append, and never call back into the Log. deliver may keep the message, and does not change it.
	Deliver(deliver func(room string, m *codec.Message), cut func(room string, head codec.ID))

	// Append gives m the next offset of room and delivers it. m.ID is ignored, m.Time is kept.
	// It waits neither for the disk nor for another machine: the number may be given, and the message
	// delivered, within the call or later.
	//
	// key, if not empty, names the message for its sender: while a message of this
	// room with the same key is in the buffer, nothing is appended or delivered
	// and the receipt is that of the original.
	//
	// done says who is told what became of it, and when. The error is of a message that was not taken; done is not told then. One that
	// was taken may fail later all the same where other machines have a say: Receipt.Err says so.
	Append(room string, m codec.Message, key string, done codec.Done) error

	// Revise is Append for an edit or a deletion, which m.Kind says, of the message m.Target. claim has to cover
	// its author; what is read of the target from then on is what m says. The error, of the call or of the receipt, may be
	// codec.ErrNoTarget or codec.ErrNotAuthor.
	Revise(room string, m codec.Message, claim codec.Claim, key string, done codec.Done) error

	// Read answers q from what is in the buffer, messages that are not yet on
	// disk included. What it returned is the caller's.
	Read(room string, q codec.Query) (codec.Page, error)

	// Head returns the ID of the newest message of room in the present epoch,
	// with Offset 0 if there never was one.
	Head(room string) codec.ID

	// Oldest returns the ID of the oldest message of room in the buffer, zero if
	// there is none. Neither it nor Head waits for the disk.
	Oldest(room string) codec.ID
}
