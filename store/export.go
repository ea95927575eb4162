package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"edgechat/codec"
)

// ReadBackup reads a backup as Backup and BackupTo write it, and hands over its messages and revisions: all of a room at
// a time, the oldest first, the rooms by their names. Each is what a reader is told of it now: one that was edited says what
// it says since, and is Edited; one that was deleted has no content, and is Deleted. A room without messages is left out.
//
// It returns how many there were, and holds one room in memory. The error wraps ErrDamaged if the
// backup is not whole, which is known for certain only at its end, after visit has seen what is; or it is that of visit,
// which ends it.
func ReadBackup(r io.Reader, visit func([]codec.Record) error) (int, error) {
	var room []codec.Record
	n := 0
	finish := func() error {
		list := told(room)
		room = nil
		if len(list) == 0 {
			return nil
		}
		n += len(list)
		return visit(list)
	}
	_, err := readBackup(r, func(kind byte, body []byte) error {
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
	return n, err
}

// told returns the records of a room as readers are told of them. Those whose content nobody has any more are left out.
func told(room []codec.Record) []codec.Record {
	newest := newestRevisions(room)
	kept := room[:0]
	for i, rec := range room {
		m := &rec.Message
		at, revised := newest[subject(m)]
		switch {
		case revised && at != i:
			v := room[at].Message // which is behind, and so not moved yet
			m.Deleted = v.Kind == codec.Deletion
			m.Edited = m.Kind == codec.Said && !m.Deleted
			m.Content, rec.Superseded = v.Content, false
		case rec.Superseded:
			continue
		}
		kept = append(kept, rec)
	}
	return kept
}

// subject returns the message that m is, or changes.
func subject(m *codec.Message) codec.ID {
	if m.Kind == codec.Said {
		return m.ID
	}
	return m.Target
}

// newestRevisions returns where in a room's records, the oldest first, the newest revision of each message is.
func newestRevisions(room []codec.Record) map[codec.ID]int {
	newest := map[codec.ID]int{}
	for i := range room {
		if m := &room[i].Message; m.Kind != codec.Said {
			newest[m.Target] = i
		}
	}
	return newest
}
