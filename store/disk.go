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
	"sync/atomic"
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

// A disk is an open database file that was found whole.
type disk struct {
	file     *os.File
	db       *bolt.DB
	readOnly bool   // the file system takes no writes
	tally    tally  // what it holds
	last     uint64 // no message in it has a higher sequence
	// A transaction could not be begun or ended, and has left locks of bbolt behind:
	// closing db would wait forever.
	stuck atomic.Bool
}

// openFile opens and locks the file of path, and makes it and its folder if need be.
// If the file system is read-only, it opens what is there for reading.
func openFile(path string, create bool) (f *os.File, readOnly bool, err error) {
	if create {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, false, err
		}
	}
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, syscall.EROFS) {
		readOnly = true
		f, err = os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = &fs.PathError{Op: "create", Path: path, Err: syscall.EROFS}
		}
	}
	if err != nil {
		return nil, false, err
	}
	// The lock that bbolt takes, through the same file, when it opens it. Where there is none
	// it is bbolt that says so.
	err = durable.Lock(f, readOnly, lockTimeout)
	if err == nil || errors.Is(err, durable.ErrNoLocks) {
		return f, readOnly, nil
	}
	if errors.Is(err, durable.ErrLocked) {
		err = ErrLocked
		if by := durable.LockedBy(f); by != "" {
			err = fmt.Errorf("%w: %s", ErrLocked, by)
		}
	}
	_ = f.Close()
	return nil, false, &fs.PathError{Op: "lock", Path: path, Err: err}
}

// openDisk opens the database in f, which is locked and is closed if that fails.
// The file must have been scanned: bbolt walks it in a goroutine of its own, where a
// bad page ends the process.
func openDisk(f *os.File, readOnly bool, quota int) (*disk, error) {
	d := &disk{file: f, readOnly: readOnly}
	err := guard(func() error {
		db, err := bolt.Open(f.Name(), 0o600, &bolt.Options{
			Timeout:  lockTimeout,
			ReadOnly: readOnly,
			// Saves a page for each commit; the list is made anew at start from a
			// walk of the tree.
			NoFreelistSync: true,
			FreelistType:   bolt.FreelistMapType,
			PageSize:       pageSize,
			// Mapped at once to its final size: a reader that is open while
			// the file has to be mapped anew stops the writer and all new readers.
			InitialMmapSize: quota + quotaReserve,
			MaxSize:         quota,
			NoStatistics:    true,
			// The file that was scanned, under the lock that is held already.
			OpenFile: func(string, int, os.FileMode) (*os.File, error) { return f, nil },
		})
		if err != nil {
			return err
		}
		db.AllocSize = allocSize
		d.db = db
		return nil
	})
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return d, nil
}

// begin starts a transaction. bbolt reads the meta pages while it holds its
// locks, and a fault there would leave them held; so they are read from the file first,
// which brings them to memory or fails.
func (d *disk) begin(writable bool) (tx *bolt.Tx, err error) {
	b := make([]byte, 1)
	for _, pos := range []int64{0, int64(d.db.Info().PageSize)} {
		if _, err := d.file.ReadAt(b, pos); err != nil {
			return nil, err
		}
	}
	err = guard(func() error {
		tx, err = d.db.Begin(writable)
		return err
	})
	if errors.Is(err, errPanic) {
		d.stuck.Store(true)
	}
	return tx, err
}

// end rolls tx back, after a panic as well. It may have been ended already.
func (d *disk) end(tx *bolt.Tx) {
	if errors.Is(guard(tx.Rollback), errPanic) {
		d.stuck.Store(true)
	}
}

// update runs fn in a transaction and commits it.
func (d *disk) update(fn func(tx *bolt.Tx) error) error {
	tx, err := d.begin(true)
	if err != nil {
		return err
	}
	defer d.end(tx)
	return guard(func() error {
		if err := fn(tx); err != nil {
			return err
		}
		return tx.Commit()
	})
}

// view runs fn in a transaction that sees what was committed when it began.
func (d *disk) view(fn func(tx *bolt.Tx) error) error {
	tx, err := d.begin(false)
	if err != nil {
		return err
	}
	defer d.end(tx)
	return guard(func() error { return fn(tx) })
}

// setQuota sets how large the file may become. The caller is the only writer,
// and bbolt looks at it in no other place.
func (d *disk) setQuota(bytes int) { d.db.MaxSize = bytes }

func (d *disk) close() error {
	if d.stuck.Load() {
		// The map stays, the lock goes with the file.
		return d.file.Close()
	}
	return guard(d.db.Close)
}

// guard runs fn and returns a panic of it as an error. bbolt panics on a page that is
// none, and a page that the card no longer gives is a fault (SIGBUS), which
// would end the process.
func guard(fn func() error) (err error) {
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
