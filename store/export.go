package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"edgechat/codec"
)

// ReadBackup reads a backup as Backup and BackupTo write it, and hands its messages to visit: room after room, the
// oldest of each first. One that was edited says what it says since; of one that was deleted there is no content.
// It returns how many messages and revisions there were, and holds one room in memory. The error wraps ErrDamaged if the
// backup is not whole, which is known for certain only at its end, after visit has seen what is; or it is that of visit,
// which ends it.
func ReadBackup(r io.Reader, visit func(*codec.Record) error) (int, error) {
	var room []codec.Record
	finish := func() error {
		defer func() { room = nil }()
		return visitRoom(room, visit)
	}
	n, err := readBackup(r, func(kind byte, body []byte) error {
		switch kind {
		case recordPlace:
			return finish()
		case recordMessage, recordRevision:
			_, size := binary.Uvarint(body)
			rec, err := codec.DecodeRecord(body[max(size, 0):])
			if err != nil {
				return fmt.Errorf("%w: %w", errBackup, err)
			}
			room = append(room, rec)
		}
		return nil
	})
	if err == nil {
		err = finish()
	}
	if errors.Is(err, errBackup) {
		err = fmt.Errorf("store: %w: %w", ErrDamaged, err)
	}
	return int(n), err
}

// visitRoom hands over what was said in a room, as its revisions have it.
func visitRoom(room []codec.Record, visit func(*codec.Record) error) error {
	newest := map[codec.ID]string{} // by target, what it says since
	for i := range room {
		if m := &room[i].Message; m.Kind != codec.Said {
			newest[m.Target] = m.Content
		}
	}
	for i := range room {
		rec := &room[i]
		if rec.Message.Kind != codec.Said {
			continue
		}
		if content, ok := newest[rec.Message.ID]; ok {
			rec.Message.Content, rec.Superseded = content, false
		}
		if err := visit(rec); err != nil {
			return err
		}
	}
	return nil
}
