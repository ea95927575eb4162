//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package auth

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// lockTimeout is how long an edit waits for another one. An edit takes
// milliseconds, so whoever holds the lock longer is stopped or stuck.
const lockTimeout = 5 * time.Second

// lock takes an exclusive lock on f, which ends when f is closed.
func lock(f *os.File) error {
	for end := time.Now().Add(lockTimeout); ; time.Sleep(20 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EBADF), errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.ENOTSUP):
			// NFS locks no folder that is open for reading, some file systems lock
			// nothing. The edit is a single rename all the same.
			return nil
		case !errors.Is(err, syscall.EWOULDBLOCK):
			return err
		case time.Now().After(end):
			return errors.New("another process has held the lock for " + lockTimeout.String())
		}
	}
}

// sameOwner gives f the user and group of old, so that a server that runs as
// its own user can read what root has changed.
func sameOwner(f *os.File, old fs.FileInfo) error {
	want, ok := old.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if have, ok := st.Sys().(*syscall.Stat_t); ok && have.Uid == want.Uid && have.Gid == want.Gid {
		return nil
	}
	return f.Chown(int(want.Uid), int(want.Gid))
}

// syncDir puts a rename in dir on disk. Some file systems refuse to sync a
// folder; they order renames by themselves.
func syncDir(dir *os.File) error {
	if err := dir.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) {
		return err
	}
	return nil
}
