package codec

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A stored record:
//
//	byte 0        version, 3
//	1 to n-4      MessagePack: an array of eleven,
//	              room, epoch, offset, time, username, content, key,
//	              author, state, epoch and offset of the target
//	last 4        CRC-32C (Castagnoli) of all before it, big endian
//
// State is the kind, and 4 if the content was taken out, and 8 if the name is verified. Version 2 is the same without that, version 1 had the
// first seven alone.
//
// The checksum is in the same place in every version and is looked at first, so
// that damage is never taken for a record of another version. It notices every
// change of up to three bits, and every burst of up to 32 (Koopman, "32-Bit Cyclic
// Redundancy Codes for Internet Applications", 2002); bbolt itself keeps no
// checksum of values.
const (
	recordVersion   = 3
	stateKind       = 3
	stateSuperseded = 4
	stateVerified   = 8
	checksumSize    = 4
	minRecord       = 1 + 1 + checksumSize // version, header of the array, checksum
)

// A Record is a message as the store keeps it.
type Record struct {
	Room    string
	Message Message
	Key     string // idempotency key of its sender, scoped by the caller; "" if there was none
	// Superseded says that the content was taken out, since a later record tells what became of it.
	Superseded bool
}

// AppendRecord appends the stored form of r to dst, save what is told by later ones: Edited and
// Deleted. It allocates nothing but a longer dst.
func AppendRecord(dst []byte, r *Record) []byte {
	start := len(dst)
	w := wireRecord{
		Room: r.Room, Epoch: r.Message.ID.Epoch, Offset: r.Message.ID.Offset, Time: r.Message.Time,
		Username: r.Message.Username, Content: r.Message.Content, Key: r.Key,
		Author: r.Message.Author, State: uint8(r.Message.Kind),
		TargetEpoch: r.Message.Target.Epoch, TargetOffset: r.Message.Target.Offset,
	}
	if r.Superseded {
		w.State |= stateSuperseded
	}
	if r.Message.Verified {
		w.State |= stateVerified
	}
	dst, _ = w.MarshalMsg(append(dst, recordVersion)) // fails for no value of this type
	return binary.BigEndian.AppendUint32(dst, checksum(dst[start:]))
}

// DecodeRecord reads what AppendRecord wrote, and copies what it keeps. Its
// errors are ErrChecksum, ErrVersion and ErrRecord, wrapped with what was found.
func DecodeRecord(b []byte) (Record, error) {
	if len(b) < minRecord {
		return Record{}, fmt.Errorf("%w: %d bytes, at least %d expected", ErrRecord, len(b), minRecord)
	}
	body, sum := b[:len(b)-checksumSize], binary.BigEndian.Uint32(b[len(b)-checksumSize:])
	if got := checksum(body); got != sum {
		return Record{}, fmt.Errorf("%w: %08x, written as %08x", ErrChecksum, got, sum)
	}
	if body[0] < 1 || body[0] > recordVersion {
		return Record{}, fmt.Errorf("%w: %d, this program reads %d", ErrVersion, body[0], recordVersion)
	}
	// The sizes are checked before msgp sees them; msgpackread.go says why.
	walk := msgpackReader{data: body[1:]}
	if problem := walk.skip(1); problem != nil {
		return Record{}, fmt.Errorf("%w: %s", ErrRecord, problem.Message)
	}
	if walk.pos < len(walk.data) {
		return Record{}, fmt.Errorf("%w: %d bytes too many", ErrRecord, len(walk.data)-walk.pos)
	}
	var w wireRecord
	if err := w.read(body[0], walk.data); err != nil {
		return Record{}, fmt.Errorf("%w: %w", ErrRecord, err)
	}
	flags := uint8(stateSuperseded | stateVerified)
	if body[0] == 2 {
		flags = stateSuperseded
	}
	if w.State&^flags > uint8(Deletion) {
		return Record{}, fmt.Errorf("%w: state %d", ErrRecord, w.State)
	}
	return Record{
		Room: w.Room,
		Message: Message{
			ID:       ID{Epoch: w.Epoch, Offset: w.Offset},
			Username: w.Username, Content: w.Content, Time: w.Time,
			Author: w.Author, Kind: Kind(w.State & stateKind), Verified: w.State&stateVerified != 0, Target: ID{Epoch: w.TargetEpoch, Offset: w.TargetOffset},
		},
		Key:        w.Key,
		Superseded: w.State&stateSuperseded != 0,
	}, nil
}

func (w *wireRecord) read(version byte, body []byte) error {
	if version > 1 {
		_, err := w.UnmarshalMsg(body)
		return err
	}
	var old wireRecord1
	_, err := old.UnmarshalMsg(body)
	w.Room, w.Epoch, w.Offset, w.Time = old.Room, old.Epoch, old.Offset, old.Time
	w.Username, w.Content, w.Key = old.Username, old.Content, old.Key
	return err
}

func checksum(b []byte) uint32 {
	return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
}
