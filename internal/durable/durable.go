// Package durable does to files what has to survive a power cut, and to those
// that several processes use: locks, names on disk, a file replaced in one step.
//
// The one rule: a file's bytes are on disk once it was synced, its name once its
// folder was. Replace and Rename do both in that order.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

var (
	// ErrLocked: somebody else has held the lock for as long as Lock waited.
	ErrLocked = errors.New("another process holds the lock")
	// ErrNoLocks: the file system locks nothing, or nothing of this kind.
	ErrNoLocks = errors.New("the file system takes no locks")
)

// SyncDir puts the names in a folder on disk. A file system that refuses to sync
// folders orders its names by itself, and is no error.
func SyncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(syncDir(dir), dir.Close())
}

// Rename gives a file a new name in the same folder, in the place of what has that
// name, and puts that on disk. The file's bytes are the caller's to sync.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(to))
}

// Replace puts what write writes in the place of the file at path, in one step: whoever
// opens it meanwhile has the old file or the new one, and a power cut leaves one of
// them. Mode and owner are those of the old file; without one the mode is 0600. A
// link stays a link: what it points to is replaced. What a process that was killed has left of this is removed.
func Replace(path string, write func(f *os.File) error) (err error) {
	real, err := Resolve(path)
	if err != nil {
		return err
	}
	mode := fs.FileMode(0o600)
	old, err := os.Stat(real)
	switch {
	case err == nil:
		mode = old.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	temp, err := Temp(filepath.Dir(real), "."+filepath.Base(real)+".edgechat-*")
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, temp.Close())
		if err != nil {
			_ = os.Remove(temp.Name()) // it is gone if it was renamed
		}
	}()
	if err := write(temp); err != nil {
		return err
	}
	// The owner first: chown may clear mode bits.
	if old != nil {
		if err := SameOwner(temp, old); err != nil {
			return &fs.PathError{Op: "keep the owner of", Path: real, Err: err}
		}
	}
	if err := temp.Chmod(mode); err != nil {
		return err
	}
	if err := temp.Sync(); err != nil {
		return err
	}
	return Rename(temp.Name(), real)
}

// Resolve follows the links that path goes by, also a last one that points to
// what is not there yet.
func Resolve(path string) (string, error) {
	const most = 40 // as Linux has it
	for range most {
		real, err := filepath.EvalSymlinks(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return real, err
		}
		link, err := os.Readlink(path)
		if err != nil {
			return path, nil // no link, or nothing at all: it has yet to be made
		}
		if !filepath.IsAbs(link) {
			link = filepath.Join(filepath.Dir(path), link)
		}
		path = link
	}
	return "", &fs.PathError{Op: "resolve", Path: path, Err: errors.New("too many links")}
}
