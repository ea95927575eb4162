package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"edgechat/internal/durable"
)

const (
	pageSize    = 4096        // a 16 KiB kernel would make a commit write 3 times as much
	allocSize   = 1 << 20     // the file grows in such steps, each of which costs a sync
	lockTimeout = time.Second // another process may be about to stop
	// Removing needs pages too, since none is overwritten, so it may pass
	// the quota by this much.
	quotaReserve = 8 << 20
)

// A history is a locked bbolt file that was found whole. bbolt has it open for the time of
// a transaction alone: its map is then no part of what the process holds, and a
// transaction that hangs or fails takes nothing with it but its goroutine.
//
// Only the keeper writes to it.
type history struct {
	file     *os.File
	path     string
	readOnly bool   // the file system takes no writes
	tally    tally  // what it holds
	last     uint64 // no message in it has a higher sequence
	quota    int    // bytes that it may take
	wrote    int64  // bytes in transactions that were committed
	identify func(f *os.File) string
}

// openFile opens and locks the file of path, and makes it and its folder if need be; made says that it
// was not there. If the file system is read-only, it opens what is there for reading.
func openFile(path string, create bool) (f *os.File, readOnly, made bool, err error) {
	if create {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, false, false, err
		}
	}
	f, err = os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		made = true
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	}
	if errors.Is(err, syscall.EROFS) {
		readOnly = true
		f, err = os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = &fs.PathError{Op: "create", Path: path, Err: syscall.EROFS}
		}
	}
	if err != nil {
		return nil, false, false, err
	}
	if err := lockFile(f, readOnly); err != nil {
		_ = f.Close()
		return nil, false, false, err
	}
	return f, readOnly, made, nil
}

// lockFile takes the lock that bbolt takes. Where the file system has none, bbolt says so.
func lockFile(f *os.File, shared bool) error {
	err := durable.Lock(f, shared, lockTimeout)
	if err == nil || errors.Is(err, durable.ErrNoLocks) {
		return nil
	}
	if errors.Is(err, durable.ErrLocked) {
		err = ErrLocked
		if by := durable.LockedBy(f); by != "" {
			err = fmt.Errorf("%w: %s", ErrLocked, by)
		}
	}
	return &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
}

// update runs fn in a transaction of the file and commits it. touched are the pages
// that it will look at.
//
// With the list of free pages in the file, bbolt walks the tree neither at opening nor
// after a commit that failed, which it would do in goroutines of its own where a
// fault ends the process.
func (h *history) update(touched map[uint64]int, fn func(tx *bolt.Tx) error) error {
	if h.readOnly {
		return &fs.PathError{Op: "write", Path: h.path, Err: syscall.EROFS}
	}
	unpin, err := pin(h.file, touched, pageSize)
	defer unpin()
	if err != nil {
		return err
	}
	own, err := reopenFile(h.file)
	if err != nil {
		return err
	}
	var db *bolt.DB
	err = caught(func() (err error) {
		db, err = bolt.Open(h.path, 0o600, &bolt.Options{
			Timeout:      lockTimeout,
			FreelistType: bolt.FreelistMapType,
			PageSize:     pageSize,
			// Mapped at once to its final size: nothing is mapped anew in between.
			InitialMmapSize: h.quota + quotaReserve,
			MaxSize:         h.quota,
			NoStatistics:    true,
			OpenFile:        func(string, int, os.FileMode) (*os.File, error) { return own, nil },
		})
		return err
	})
	if err != nil {
		_ = own.Close()
		return errors.Join(err, lockFile(h.file, false))
	}
	db.AllocSize = allocSize
	err = caught(func() error {
		return db.Update(func(tx *bolt.Tx) error {
			tx.OnCommit(func() {
				st := tx.Stats()
				h.wrote += st.GetPageAlloc() + pageSize // and a meta page
			})
			return fn(tx)
		})
	})
	if errors.Is(err, errPanic) {
		// It has left locks behind, on which Close would wait for ever. The map stays.
		return errors.Join(err, own.Close(), lockFile(h.file, false))
	}
	// Closing gives up the lock, which is taken again.
	return errors.Join(err, caught(db.Close), lockFile(h.file, false))
}

// close closes the file. Readers that are in a read of it do so first.
func (h *history) close() error { return h.file.Close() }

// caught runs fn and returns a panic of it as an error. bbolt panics on a page that is
// none, and a page that the card no longer gives is a fault (SIGBUS), which
// would end the process.
func caught(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	return fn()
}

var errPanic = errors.New("bbolt panicked")

// isFull says that there is no space, which is over once somebody makes some:
// what was written before stays good. Some errors of bbolt have lost what they wrap.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, berrors.ErrMaxSizeReached) ||
		err != nil && strings.Contains(err.Error(), syscall.ENOSPC.Error())
}

// isBroken says that the disk is to blame for an error of opening a file, and
// not who set it up. A file system turns read-only when its device fails; but where
// there is no file yet, the likelier cause is a folder that was never writable.
func isBroken(err error) bool {
	if errors.Is(err, syscall.EROFS) {
		return false
	}
	return isFull(err) || errors.Is(err, syscall.EIO) || errors.Is(err, errFilesystem)
}

func sequenceKey(dst []byte, seq uint64) []byte { return binary.BigEndian.AppendUint64(dst, seq) }
