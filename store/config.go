package store

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"edgechat/internal/durable"
	"edgechat/store/wal"
)

// What a Config that names none has.
const (
	DefaultHistory      = 200
	DefaultHistoryBytes = 64 << 20
	DefaultSyncInterval = time.Second
	DefaultRooms        = 10_000
)

// A Config says where a store lives and what it keeps. Only Path is required;
// a zero value of any other field stands for its default. Open refuses values
// outside of the ranges given here and names the field.
type Config struct {
	// Path is the database file. Its folder is created (mode 0700) if it is
	// not there. Two processes cannot share a file.
	Path string

	// History is how many messages a room keeps; older ones are no longer
	// read. Default DefaultHistory, at most 1,000,000.
	History int

	// HistoryBytes is what all rooms keep together, in bytes: each message
	// counts the bytes of its texts and 64 for what surrounds them, each room 700 and its
	// name. Beyond it the room that takes the most gives its oldest message, so that
	// a busy room cannot push out what quiet ones said. Default DefaultHistoryBytes, at least 64 KiB.
	//
	// It bounds the memory of messages that could not be written, too, and
	// the history, which may take 3 times HistoryBytes + 32 MiB, and 8 MiB more while messages are
	// removed from a file that is full: room for half-empty pages, for those that a transaction
	// replaces, and for messages that left the buffer and lie between others of it, of
	// which there may be twice as much as in the buffer, up to
	// HistoryBytes. Each of these takes 24 bytes of memory until a sweep removes it.
	HistoryBytes int64

	// Rooms is how many rooms are kept, with messages or without; beyond it the one that
	// has been silent longest is forgotten with all that it has. Default DefaultRooms.
	Rooms int

	// LogBytes is the size of the log. Twice as much memory, about, may be taken by messages that are in the
	// log and not in the history. Default 8 MiB, or less if HistoryBytes is
	// less than 16 MiB; at least 128 KiB.
	LogBytes int64

	// DiskReads is how many may read the history at once. Default 8.
	DiskReads int

	// ReadWait is how long a reader waits for the disk. After it he gets what is in
	// memory, and is told that it is not all. Default 5 s.
	ReadWait time.Duration

	// Follow says that another log numbers the messages, of which this store keeps a copy; see OpenFollower. Append and Revise
	// are not called then, and no start opens an epoch.
	Follow bool

	// SyncInterval is the longest time that a message lives in memory alone
	// while nobody waits for it. Default DefaultSyncInterval.
	SyncInterval time.Duration

	// AckDelay is the least time between two commits that somebody waits for, so
	// that a burst shares one. Whoever comes later than that after the last commit
	// has his at once. Default and maximum 100 ms.
	AckDelay time.Duration

	// CommitBytes is how much may be pending before it is committed without
	// regard to SyncInterval. Default 1 MiB, at least 4 KiB. One commit takes at most
	// four times as much.
	CommitBytes int

	// MaxWaiting is how many may wait for a commit; whoever comes beyond that
	// is told at once that his message is not durable. It bounds memory while a disk
	// stands still: about 64 bytes each. Default 65,536.
	MaxWaiting int

	// RememberedRooms is how many rooms without a message in the buffer keep
	// their place in the numbers. A room beyond that is forgotten, and continues
	// above all numbers ever given should it come back, but a cursor from before
	// no longer proves that nothing is missing. Default 4,096.
	RememberedRooms int

	// RetryDelay is how long a degraded store waits until it tries the disk
	// again; it doubles up to 30 s. Default 1 s.
	RetryDelay time.Duration

	// StallAfter is how long a commit may take until Ready complains. Default 10 s.
	StallAfter time.Duration

	// Logger is told of what is rare: damage, a full disk, recovery. Nil discards.
	Logger *slog.Logger

	quota int // of the history; 0 is that of HistoryBytes

	// For tests: stand around each commit and each transaction of the history; replace what tells a
	// file from its copy.
	aroundCommit func(commit func() error) error
	aroundFold   func(commit func() error) error
	identify     func(f *os.File) string
	checkTouched bool
}

const (
	maxHistory    = 1_000_000
	minHistory    = 64 << 10 // bytes
	maxAckDelay   = 100 * time.Millisecond
	maxRetryDelay = 30 * time.Second
	maxRoomName   = 1024 // bytes; codec.CheckRoom is stricter, bbolt's limit for keys is 32,768
	roomCost      = 700  // bytes of memory that a room takes besides its name, measured by TestRoomCost
	messageCost   = 64   // bytes of a message in the file besides its texts: key, page element, numbers, checksum
)

// withDefaults returns c complete and checked.
func (c Config) withDefaults() (Config, error) {
	if c.Path == "" {
		return c, fmt.Errorf("store: Path is empty: name the database file")
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return c, fmt.Errorf("store: Path %q: %w", c.Path, err)
	}
	c.Path = path
	if real, err := durable.Resolve(path); err == nil { // else opening it tells what is wrong
		c.Path = real
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}

	// The quota of the file must fit in an int, and the file in the address
	// space: on 32 bits bbolt maps 2 GiB at most, and no board has that much free in one piece.
	most := mostHistoryBytes()
	for _, err := range []error{
		limit("History", &c.History, DefaultHistory, 1, maxHistory),
		limit("HistoryBytes", &c.HistoryBytes, DefaultHistoryBytes, minHistory, most),
		limit("Rooms", &c.Rooms, DefaultRooms, 1, math.MaxInt32),
		limit("DiskReads", &c.DiskReads, 8, 1, 1024),
		limit("ReadWait", &c.ReadWait, 5*time.Second, time.Millisecond, time.Hour),
		limit("SyncInterval", &c.SyncInterval, DefaultSyncInterval, time.Nanosecond, time.Hour),
		limit("AckDelay", &c.AckDelay, maxAckDelay, time.Nanosecond, maxAckDelay),
		limit("CommitBytes", &c.CommitBytes, 1<<20, 4<<10, 64<<20),
		limit("MaxWaiting", &c.MaxWaiting, 65_536, 1, math.MaxInt32),
		limit("RememberedRooms", &c.RememberedRooms, 4_096, 1, math.MaxInt32),
		limit("RetryDelay", &c.RetryDelay, time.Second, time.Millisecond, maxRetryDelay),
		limit("StallAfter", &c.StallAfter, 10*time.Second, time.Millisecond, time.Hour),
	} {
		if err != nil {
			return c, err
		}
	}
	if err := limit("LogBytes", &c.LogBytes, min(8<<20, max(2*wal.MinHalf, c.HistoryBytes/2)), 2*wal.MinHalf, 1<<30); err != nil {
		return c, err
	}
	if c.identify == nil {
		c.identify, c.checkTouched = identify, true
	}
	if c.quota == 0 {
		c.quota = quotaFor(c.HistoryBytes)
	}
	return c, nil
}

// quotaFor returns how large the database of so many bytes may become: what is replaced stays until it is committed.
func quotaFor(bytes int64) int {
	return int(min(3*bytes+32<<20, 3*mostHistoryBytes()+32<<20))
}

// mostHistoryBytes is the most that HistoryBytes may be.
func mostHistoryBytes() int64 {
	if math.MaxInt == math.MaxInt32 {
		return 128 << 20
	}
	return 1 << 40
}

// limit sets *v to def if it is zero, and checks its range.
func limit[T ~int | ~int64](field string, v *T, def, least, most T) error {
	if *v == 0 {
		*v = def
	}
	if *v < least || *v > most {
		return fmt.Errorf("store: %s is %v: it must be from %v to %v", field, *v, least, most)
	}
	return nil
}
