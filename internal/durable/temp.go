package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// A temporary file or folder is locked as long as it is in use, and the lock ends with the process. So whatever has a name of
// that kind and no lock was left by a process that was killed.

// leftAge is when it is taken for left where the file system takes no locks.
const leftAge = 24 * time.Hour

// Temp makes a file as os.CreateTemp does, in a folder and by a pattern that ends with an asterisk, and removes those that
// processes have left there that were killed. The file counts as used until it is closed, also by another name.
func Temp(dir, pattern string) (*os.File, error) {
	_ = Sweep(dir, pattern) // what cannot be removed is in nobody's way
	return hold(func() (*os.File, error) { return os.CreateTemp(dir, pattern) })
}

// TempDir is Temp of a folder, which it opens. Whoever has removed the folder closes it.
func TempDir(dir, pattern string) (*os.File, error) {
	_ = Sweep(dir, pattern)
	return hold(func() (*os.File, error) {
		for {
			name, err := os.MkdirTemp(dir, pattern)
			if err != nil {
				return nil, err
			}
			f, err := os.Open(name)
			if !errors.Is(err, fs.ErrNotExist) { // else another process has removed it, which was not locked yet
				return f, err
			}
		}
	})
}

// hold returns what create has made, locked. Another process may have removed it before.
func hold(create func() (*os.File, error)) (*os.File, error) {
	for {
		f, err := create()
		if err != nil {
			return nil, err
		}
		if err := Lock(f, false, time.Minute); err != nil && !errors.Is(err, ErrNoLocks) {
			return nil, errors.Join(err, f.Close(), os.RemoveAll(f.Name()))
		}
		if stands(f) {
			return f, nil
		}
		_ = f.Close()
	}
}

// stands says if the name of f is that of f still.
func stands(f *os.File) bool {
	now, err := os.Lstat(f.Name())
	if err != nil {
		return false
	}
	info, err := f.Stat()
	return err == nil && os.SameFile(now, info)
}

// Sweep removes from a folder what Temp and TempDir made by these patterns and nobody uses.
func Sweep(dir string, patterns ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		for _, pattern := range patterns {
			if !madeBy(e.Name(), pattern) {
				continue
			}
			if _, err := RemoveLeft(filepath.Join(dir, e.Name())); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// madeBy says if a name is one that os.CreateTemp makes by a pattern that ends with an asterisk.
func madeBy(name, pattern string) bool {
	digits, ok := strings.CutPrefix(name, strings.TrimSuffix(pattern, "*"))
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// RemoveLeft removes a file or folder that Temp or TempDir has made, unless a process uses it, and says if it did.
func RemoveLeft(path string) (removed bool, err error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || !info.Mode().IsRegular() && !info.IsDir() {
		return false, err
	}
	f, err := openNoWait(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	switch err := Lock(f, false, 0); {
	case errors.Is(err, ErrLocked):
		return false, nil
	case errors.Is(err, ErrNoLocks):
		if time.Since(info.ModTime()) < leftAge {
			return false, nil
		}
	case err != nil:
		return false, err
	}
	if !stands(f) {
		return false, nil
	}
	return true, os.RemoveAll(path)
}
