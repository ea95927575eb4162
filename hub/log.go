package hub

import "edgechat/codec"

// A Log numbers, keeps and delivers the messages of all rooms. The hub declares
// what it needs; package store is the Log of one process, the packages below
// cluster are those of several.
//
// All methods may be called from any goroutine.
type Log interface {
	// Deliver names the function that is to see every message of every room,
	// in the order of offsets within a room and one at a time within a room.
	// It is called once, before any other method. deliver does not block; it may be
	// called from within Append, and never calls back into the Log.
	Deliver(deliver func(room string, m *codec.Message))

	// Append gives m the next offset of room, delivers it, and returns its ID.
	// It does not wait for the disk. m.ID is ignored, m.Time is kept.
	//
	// key, if not empty, names the message for its sender: while a message of this
	// room with the same key is in the buffer, nothing is appended or delivered
	// and the ID is that of the original.
	//
	// done, if not nil, is called once, from another goroutine, as soon as the message (or
	// the original) is on disk, or with Durable false if that cannot be had.
	// It must not block.
	Append(room string, m codec.Message, key string, done func(codec.Receipt)) (codec.ID, error)

	// Revise is Append for an edit or a deletion, which m.Kind says, of the message m.Target. claim has to cover
	// its author; what is read of the target from then on is what m says. The error may be codec.ErrNoTarget or
	// codec.ErrNotAuthor.
	Revise(room string, m codec.Message, claim codec.Claim, key string, done func(codec.Receipt)) (codec.ID, error)

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
