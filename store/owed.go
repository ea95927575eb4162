package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"edgechat/codec"
	"edgechat/internal/durable"
)

// What a rollback takes away was acknowledged, and is owed to whoever said it until the log has it again. Until then it is in a file
// beside the store's: lengths and records. A half of it is never there, since it is put in its place in one step.
const owedSuffix = "-owed"

// Owe keeps records until the next call, over restarts; it returns when they are on disk. Without records there is no file.
func (f *Follower) Owe(records []codec.Record) error {
	path := f.cfg.Path + owedSuffix
	if len(records) == 0 {
		if err := os.Remove(path); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return fmt.Errorf("store: what is owed no more: %w", err)
		}
		return durable.SyncDir(filepath.Dir(path))
	}
	err := durable.Replace(path, func(file *os.File) error {
		var b, rec []byte
		for i := range records {
			rec = codec.AppendRecord(rec[:0], &records[i])
			b = append(binary.AppendUvarint(b[:0], uint64(len(rec))), rec...)
			if _, err := file.Write(b); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("store: keep what is owed: %w", err)
	}
	return nil
}

// Owed returns what Owe keeps.
func (f *Follower) Owed() (records []codec.Record, err error) {
	b, err := os.ReadFile(f.cfg.Path + owedSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for err == nil && len(b) > 0 {
		size, n := binary.Uvarint(b)
		if n <= 0 || uint64(len(b)-n) < size {
			return records, fmt.Errorf("store: %s: %w", f.cfg.Path+owedSuffix, errFormat)
		}
		var rec codec.Record
		if rec, err = codec.DecodeRecord(b[n : n+int(size)]); err == nil {
			records, b = append(records, rec), b[n+int(size):]
		}
	}
	if err != nil {
		return records, fmt.Errorf("store: what is owed: %w", err)
	}
	return records, nil
}
