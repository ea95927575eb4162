package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"edgechat/codec"
)

// ReadBackup reads a backup as Backup and BackupTo write it, and hands its messages to visit: room after room, the
// oldest of each first. It returns how many there were. The error wraps ErrDamaged if the backup is not whole, which
// is known for certain only at its end, after visit has seen what is; or it is that of visit, which ends it.
func ReadBackup(r io.Reader, visit func(*codec.Record) error) (int, error) {
	n, err := readBackup(r, func(kind byte, body []byte) error {
		if kind != recordMessage {
			return nil
		}
		_, size := binary.Uvarint(body)
		rec, err := codec.DecodeRecord(body[max(size, 0):])
		if err != nil {
			return fmt.Errorf("%w: %w", errBackup, err)
		}
		return visit(&rec)
	})
	if errors.Is(err, errBackup) {
		err = fmt.Errorf("store: %w: %w", ErrDamaged, err)
	}
	return int(n), err
}
