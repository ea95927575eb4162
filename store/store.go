// Package store keeps the recent messages of all rooms in one bbolt file: it
// numbers them, hands them on, and finds them again after a restart.
//
// The one rule: an ID that Append returned was delivered, but is on disk only
// once its receipt says so. A message that nobody waits for is written within
// Config.SyncInterval; nothing is written while nothing is said.
//
// A broken card does not stop the chat. What is damaged at start is put
// aside, and what can be read of it is kept; while the disk is full or refuses
// writes, the store goes on in memory, says so in receipts and by Ready, and catches up by
// itself. Open fails only over what its caller can mend.
//
// All methods of a Store may be called from any goroutine. One goroutine, the
// committer, is the only writer of the file. Locks, in the order in which they are
// taken: diskMu (by readers of the file), trimMu, roomsMu, the mutex of one room,
// queueMu. bbolt is called under none of them but diskMu, so that Append never waits for
// the disk.
package store

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"edgechat/codec"
)

var (
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrRoomName: the name of a room is empty or longer than 1,024 bytes.
	ErrRoomName = errors.New("names of rooms have from 1 to 1024 bytes")
	// ErrTooLarge: a message takes more than half of Config.HistoryBytes.
	ErrTooLarge = errors.New("the message is too large for the buffer")
	// ErrLocked: another process has the file open.
	ErrLocked = errors.New("another process uses the file")
)

// A Store is an open store. Open makes one.
type Store struct {
	cfg      Config
	opened   time.Time
	log      *slog.Logger
	seed     maphash.Seed // of keys
	deliver  func(string, *codec.Message)
	receipts receipts
	count    counters

	epochs    atomic.Pointer[epochs]
	bytes     atomic.Int64 // what the buffer holds, by costOf
	closed    atomic.Bool  // set under queueMu
	fault     atomic.Pointer[fault]
	readFault atomic.Pointer[error] // why a reader distrusts the file; the committer looks into it

	trimMu sync.Mutex
	byAge  ages
	empty  []*room // without messages, in the order in which they became so

	roomsMu sync.RWMutex
	rooms   map[string]*room
	floor   uint64 // where rooms that are not known begin

	queueMu      sync.Mutex
	seq          uint64 // the last that was given
	queue        []*entry
	slab         []entry // the next ones
	queueBytes   int
	queuedSince  time.Time // of the oldest in queue, or before
	compactAt    int
	waits        []wait
	removals     []removal // what left the buffer since the committer looked
	removalCount int       // of these and dead
	removalBytes int64
	emptied      []string // rooms whose place is to be written, or removed if they were forgotten
	retryAt      time.Time

	diskMu sync.RWMutex // held for reading while a reader uses disk
	disk   *disk        // changed by the committer alone; nil while there is none

	// Of the committer, once Open has started it.
	loaded       bool // what the file held is known; else it is another's, from before a start without a disk
	suspect      bool // the disk has to be opened and scanned anew before it is written to
	clean        bool // the file says that it was closed in order
	retryDelay   time.Duration
	lastCommit   time.Time
	sinceRemoved int       // commits since removals were looked for
	dead         []removal // by sequence
	sweep        int       // how many of dead, from the oldest on, are to be removed now
	batch        []*entry
	buf          []byte
	closeErr     error
	commitBegan  atomic.Int64 // nanoseconds after opened, by a clock that nobody sets; 0 while there is none

	wake      chan struct{} // of size 1
	stop      chan struct{}
	closeOnce sync.Once
	committer sync.WaitGroup
	teller    sync.WaitGroup
}

// Open opens the store of cfg, or makes a new one. It scans the whole file:
// about 0.1 s for 50,000 messages on a PC with the file in memory.
//
// It fails if the configuration is wrong: a field out of its range, a folder that
// cannot be made, a file that may not be written, ErrLocked. Damage and a full or
// failing disk are no errors; see Ready.
//
// Two goroutines belong to the store until Close.
func Open(cfg Config) (*Store, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Store{
		cfg:       cfg,
		opened:    time.Now(),
		log:       cfg.Logger.With("path", cfg.Path),
		seed:      maphash.MakeSeed(),
		rooms:     make(map[string]*room),
		receipts:  receipts{wake: make(chan struct{}, 1)},
		compactAt: compactQueueAt,
		wake:      make(chan struct{}, 1),
		stop:      make(chan struct{}),
	}
	s.epochs.Store(&epochs{})
	if err := s.start(); err != nil {
		return nil, explain(cfg.Path, err)
	}
	s.committer.Go(s.commitLoop)
	s.teller.Go(s.receipts.run)
	return s, nil
}

// explain says what stands in the way and how to mend it.
func explain(path string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, ErrLocked):
		hint = "stop it, or use another folder"
	case errors.Is(err, fs.ErrPermission):
		hint = fmt.Sprintf("user %d must be allowed to write to it and to %s", os.Geteuid(), filepath.Dir(path))
	case errors.Is(err, syscall.EROFS):
		hint = "name a folder on a file system that takes writes"
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		hint = "a file stands where a folder is needed, or the reverse"
	}
	if hint == "" {
		return fmt.Errorf("store: open %s: %w", path, err)
	}
	return fmt.Errorf("store: open %s: %w: %s", path, err, hint)
}

// Close writes what is pending, marks the file as closed in order and closes it. It waits
// for the disk as long as that takes. Receipts that are outstanding
// are told before it returns. The error says what could not be written.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.queueMu.Lock()
		s.closed.Store(true)
		s.queueMu.Unlock()
		close(s.stop)
		s.committer.Wait()
		close(s.receipts.wake)
		s.teller.Wait()
		s.diskMu.Lock()
		defer s.diskMu.Unlock()
		if s.disk != nil {
			if err := s.disk.close(); s.closeErr == nil && err != nil {
				s.closeErr = fmt.Errorf("store: close %s: %w", s.cfg.Path, err)
			}
			s.disk = nil
		}
	})
	return s.closeErr
}
