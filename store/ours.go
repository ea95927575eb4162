package store

import (
	"errors"
	"io/fs"
	"os"
)

// stillOurs says if what is written can be found again: whether the names of both files
// stand for those that are open. Without that a folder that was deleted or put back takes
// everything that is said, and nobody notices until the next start.
func (s *Store) stillOurs() error {
	if s.wal == nil {
		return errNoDisk
	}
	if err := ours(s.logPath(), s.wal.File()); err != nil {
		return err
	}
	v := s.view.Load()
	if v == nil {
		return nil
	}
	err := ours(s.cfg.Path, v.named)
	if s.replacing.Load() || s.view.Load() != v {
		return nil // the keeper puts another in its place, or just did
	}
	return err
}

func ours(path string, f *os.File) error {
	same, err := sameFile(path, f)
	if err == nil && !same {
		err = &fs.PathError{Op: "write to", Path: path, Err: errReplaced}
	}
	return err
}

var errReplaced = errors.New("the file was removed or replaced while it was open")
