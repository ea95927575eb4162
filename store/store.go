// Package store keeps the recent messages of all rooms on a disk: it
// numbers them, hands them on, and finds them again after a restart.
//
// The one rule: an ID that Append returned was delivered, but is on disk only
// once its receipt says so. A message that nobody waits for is written within
// Config.SyncInterval; nothing is written while nothing is said.
//
// # Two files
//
// What is said goes to the log first (Path with "-wal" behind it; package wal): one write and one flush for all
// that waits, and then their receipts. The history, a bbolt file at Path, gets it in checkpoints: when half of the log is
// full, after a minute of silence, and at Close. What left the buffer until then never gets there. So the log holds
// what the history does not, and after Close the history is complete by itself.
//
//	queue ──commit──▶ log, recent ──checkpoint──▶ history
//	  memory only        on disk, and in memory      on disk
//
// A message moves from left to right; readers find it in memory until it is in the history. Each
// step may come late or fail without the one before:
//
//	the log fails           degraded: receipts say false, chat goes on in memory. A new log is
//	                        made then, with all that the history does not have
//	a checkpoint fails      the log goes on until both halves are full, then as above
//	the disk hangs          receipts wait; whoever reads gets what is in memory
//	both, and memory full   what leaves the buffer is dropped from the queue
//
// # What a receipt promises
//
// It is told when the message is in the log, or when it has left the buffer and what displaced it is.
// A message that was displaced before it was written need not be written; but its receipt waits for a point
// at which the log holds everything up to the newest message that displaced any (queue.go: target). Just so nothing
// is removed from the history, or left out of it, before such a point (Store.closedAt).
//
// # Faults of the disk
//
// A broken card does not stop the chat. What is damaged at start is put aside, and what can be read
// of it is kept. No goroutine that anybody waits for touches a map of a file: logs are read and written with pread(2)
// and pwrite(2), and so is the history by readers (tree.go). bbolt has its file open for the time of a transaction
// alone, in the keeper, with the pages that it needs locked in memory (pin_linux.go).
// A page fault on a card that hangs would stop all of the process, since the scheduler cannot take
// the processor from it.
//
// Open fails only over what its caller can mend.
//
// # Goroutines and locks
//
// All methods of a Store may be called from any goroutine. The committer alone uses the log, the
// keeper alone writes the history and may hang with it; a third tells receipts. Readers of the history
// are at most Config.DiskReads goroutines, which nobody waits for longer than Config.ReadWait.
// Locks, in the order in which they are taken: trimMu, roomsMu, the mutex of one room,
// queueMu. No lock is held while a file is used.
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
	"edgechat/store/wal"
)

var (
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("the store is closed")
	// ErrRoomName: the name of a room is empty or longer than 1,024 bytes.
	ErrRoomName = errors.New("names of rooms have from 1 to 1024 bytes")
	// ErrTooLarge: a message takes more than half of Config.HistoryBytes, or an eighth of Config.LogBytes.
	ErrTooLarge = errors.New("the message is too large for the buffer")
	// ErrLocked: another process has the file open.
	ErrLocked = errors.New("another process uses the file")
	// ErrNewer: a later version of this program has written the file.
	ErrNewer = errors.New("written by a newer version of edgechat")
	// ErrForeign: nothing in the file is of this program.
	ErrForeign = errors.New("it is neither a store of edgechat nor a backup")
	// ErrDamaged: not all of a store or of a backup can be read as it was written.
	ErrDamaged = errors.New("it is damaged")
	// ErrFollower: what is to be changed or restored is of a store that follows a log, a node of a cluster.
	ErrFollower = errors.New("it is of a node of a cluster")
	// ErrBackup: the file is a backup, not a store. Restore makes a store of it.
	ErrBackup = errors.New("the file is a backup")
)

// A Store is an open store. Open makes one.
type Store struct {
	cfg      Config
	opened   time.Time
	log      *slog.Logger
	seed     maphash.Seed // of keys
	deliver  func(string, *codec.Message)
	cut      func(string, codec.ID)
	receipts receipts
	count    counters
	volatile string // why nothing that is written lasts; "" if it does

	epochs       atomic.Pointer[epochs]
	bytes        atomic.Int64  // what the buffer holds, by costOf and roomCost
	given        atomic.Uint64 // the last sequence
	checkpointed atomic.Uint64 // what has sequences up to it needs the log no more
	found        Start         // since start
	unerased     atomic.Bool   // a file may hold what revisions that are on disk took away
	wiped        atomic.Uint64 // and what has sequences up to this has left no trace in the history of what it took away
	closed       atomic.Bool   // set under queueMu
	fault        atomic.Pointer[fault]
	readFault    atomic.Pointer[error] // why a reader distrusts the history; the keeper looks into it
	view         atomic.Pointer[view]  // what readers go by; nil while nothing was ever written
	replacing    atomic.Bool           // the keeper puts a new history in the place of view's

	unused atomic.Pointer[room] // stands for all rooms that were never used, see unusedRoom

	trimMu sync.Mutex
	shares shares
	silent silences
	bare   []spot          // what a start has loaded without its content
	shed   map[spot]uint64 // what a start takes out of the buffer again: the sequence that had the content; nil if no revision is in the log
	empty  []*room         // without messages, in the order in which they became so

	roomsMu sync.RWMutex
	rooms   map[string]*room
	floor   uint64 // where rooms that are not known begin

	queueMu       sync.Mutex
	queue         []*entry
	slab          []entry // the next ones
	queueBytes    int
	queuedSince   time.Time // of the oldest in queue, or before
	compactAt     int
	waits         []wait
	settled       uint64           // what has sequences up to it is in the log, or was displaced before
	target        uint64           // nothing is passed over that was displaced by a later sequence
	later         map[*room]uint64 // the last offset that was dropped with a sequence behind target
	closedAt      uint64           // up to here the log holds all that displaced anything
	unclosed      uint64           // but of recent up to this it may not, nor ever will: power was cut before
	recent        []*entry         // in the log, not in the history; by sequence
	removals      []removal        // what left the buffer, in that order
	atTarget      int              // so many of them had when target was set
	released      []removal        // what displaced these is in the log
	everLeft      uint64           // how much ever was in removals
	purging       bool             // see purge
	purgeUpTo     uint64           // of everLeft
	removalCount  int              // of these, and dead
	removalBytes  int64
	untold        []*room       // some of what they said was passed over: the log has to tell their heads
	told          []*room       // the log has, and the history has to
	toldFrom      uint64        // the least sequence at which a batch of the log ends that tells of them
	telling       []*room       // and a checkpoint under way is about to
	tellingFrom   uint64        // as toldFrom
	replaced      []replacement // what revisions took away that were never written
	stripping     []replacement // of these, what the checkpoint that is being made takes out
	dirty         uint64        // the newest revision that the log has, while it may hold what one took away; 0: it does not
	forgotten     []string      // rooms whose places are to be removed from the history
	retryAt       time.Time
	fullSince     time.Time // since when a commit waits for a checkpoint; zero if none does
	notedChanges  uint64    // of the history, as the log says
	actualChanges uint64

	// Of the committer, once Open has started it.
	id         uint64        // of the store
	runs       uint64        // starts, with this one
	loggedRuns atomic.Uint64 // of these, the last that the log knows of
	wal        *wal.Log
	toldFloor  uint64      // what the log says of floor
	learnt     atomic.Bool // the log is to be told of the epochs
	forks      atomic.Bool // as of state
	retell     bool        // the log is to say again how the store was opened: the half that said so is used again
	walSuspect bool        // what it holds is not known: a new one has to be made
	erasing    bool        // what the log held is being overwritten
	retryDelay time.Duration
	lastCommit time.Time
	batch      []*entry
	closeErr   error

	// Of the keeper, once Open has started it.
	history   *history
	loaded    bool      // what the file held is known; else it is another's, from before a start without a disk
	soiled    bool      // free pages of it may hold what was revised
	suspect   bool      // the file has to be scanned anew before it is written to
	clean     bool      // the file says that it was closed in order
	dead      []removal // by sequence
	sweep     int       // how many of dead, from the oldest on, are to be removed now
	foldDelay time.Duration

	commitBegan atomic.Int64 // nanoseconds after opened, by a clock that nobody sets; 0 while there is none
	foldFault   atomic.Pointer[fault]

	reads reads

	wake      chan struct{} // of size 1
	folds     chan fold
	stop      chan struct{}
	closeOnce sync.Once
	committer sync.WaitGroup
	keeper    sync.WaitGroup
	teller    sync.WaitGroup
}

// Open opens the store of cfg, or makes a new one. It scans both files: about 0.1 s for 50,000 messages on a
// PC with the files in memory.
//
// It fails if the configuration is wrong, a field out of its range or a folder that
// cannot be made; with ErrLocked, ErrNewer or ErrBackup; or if the file may not be written. Damage and a full or
// failing disk are no errors; see Ready.
//
// Three goroutines belong to the store until Close.
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
		later:     make(map[*room]uint64),
		reads:     reads{slots: make(chan struct{}, cfg.DiskReads)},
		wake:      make(chan struct{}, 1),
		folds:     make(chan fold, 1),
		stop:      make(chan struct{}),
	}
	s.epochs.Store(&epochs{})
	if err := s.start(); err != nil {
		return nil, explain(cfg.Path, err)
	}
	s.committer.Go(s.commitLoop)
	s.keeper.Go(s.keepLoop)
	s.teller.Go(s.receipts.run)
	return s, nil
}

// explain says what stands in the way and how to mend it.
func explain(path string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, ErrLocked):
		hint = "stop it, or use another folder"
	case errors.Is(err, ErrNewer):
		hint = "install that version again, or move the file and the one with -wal behind its name aside and begin anew"
	case errors.Is(err, ErrBackup):
		hint = "edgechat restore makes a store of it"
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

// Close writes what is pending to the log, and that to the history, which it marks as closed in
// order. It waits for the disk as long as that takes. Receipts that are outstanding
// are told before it returns. The error says what could not be written.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.queueMu.Lock()
		s.closed.Store(true)
		s.queueMu.Unlock()
		close(s.stop)
		s.committer.Wait() // which ends the keeper
		s.keeper.Wait()
		close(s.receipts.wake)
		s.teller.Wait()
		if s.wal != nil {
			_ = s.wal.File().Close()
		}
		if s.history != nil {
			if err := s.history.close(); s.closeErr == nil && err != nil {
				s.closeErr = fmt.Errorf("store: close %s: %w", s.cfg.Path, err)
			}
		}
	})
	return s.closeErr
}
