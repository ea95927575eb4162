package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// An Engine is a log that all nodes share, kept by a program that people run anyway. It knows no edgechat: records are bytes.
//
// All methods may be called from any goroutine, each fails within some seconds when the engine does not answer, and none
// repeats what may have been executed.
type Engine interface {
	// State says how the log stands.
	State(ctx context.Context) (State, error)

	// Append adds items, each with the next offset of its room, in one step, if run is the run for which the log is verified, and the log neither ends in
	// front of least nor is of an earlier epoch: else the error is ErrUnverified. An item whose key the engine knows is not added, and its outcome is that of the original. An error that is
	// neither ErrUnverified nor ErrRefused leaves it open whether they were added.
	Append(ctx context.Context, run string, least uint64, items []Item) ([]Outcome, error)

	// After returns at most some entries behind a position, in order. If there is none it waits for one, for about a second.
	After(ctx context.Context, position uint64) ([]Entry, error)

	// Epochs returns all there were, by their numbers.
	Epochs(ctx context.Context) ([]Epoch, error)
	// Heads returns the newest offset of each room.
	Heads(ctx context.Context) (map[string]uint64, error)

	// Claim says how far a node has the log, and returns what all nodes say of themselves that did so in the last seconds,
	// for this run.
	Claim(ctx context.Context, run string, c Claim) ([]Claim, error)
	// Lead makes the node the only one that may Restore, Retract and Open in this run, for some seconds. It reports whether it is.
	Lead(ctx context.Context, run, node string) (bool, error)
	// Restore appends entries that the engine has lost, with the positions that they had, and raises the heads of rooms.
	Restore(ctx context.Context, run, node string, entries []Entry, heads map[string]uint64) error
	// Retract takes away entries that are at the end of the log, and their keys, and has the heads of their rooms in front of them.
	Retract(ctx context.Context, run, node string, entries []Entry) error
	// Open begins an epoch, whose Start is behind all there is, notes those before it that the engine does not know, and says that the
	// log is verified for this run.
	Open(ctx context.Context, run, node string, e Epoch, before []Epoch) error
	// Distrust has the log verified again, if it was for this run.
	Distrust(ctx context.Context, run string) error

	// Broadcast sends a payload to all nodes that listen. It may be lost.
	Broadcast(ctx context.Context, payload []byte) error
	// Listen has heard called with what others broadcast, and what this node does, until ctx ends or the engine fails.
	Listen(ctx context.Context, heard func(payload []byte)) error

	// Describe names the engine without its password.
	Describe() string
	Close() error
}

var (
	// ErrUnverified: the engine was restarted, or lost something, and the log has not been verified since.
	ErrUnverified = errors.New("cluster: the engine's log has to be verified")
	// ErrRefused: the engine does not take messages, and has not taken these.
	ErrRefused = errors.New("cluster: the engine does not take messages")
)

// A State is how an engine's log stands.
type State struct {
	Run      string // of the engine: another one after each restart, failover or promotion
	Verified bool   // nodes agree on what the log holds, for this run
	Epoch    Epoch  // the present one; N is 0 if there never was one
	Last     uint64 // the position of the newest entry, or of what was the newest
	Durable  bool   // what Append returned survives a power cut of the engine, by its own settings
	Setting  string // which settings these are, for people
	Problem  string // why it does not take messages by its own settings; "" if nothing is known
}

// An Epoch is a run of numbers that no loss of the engine broke.
type Epoch struct {
	N     uint64
	Name  string // what stands in IDs
	Start uint64 // the count of its first entry, whatever that is; 0 if that is not known any more
}

// An Item is a message that is to be appended.
type Item struct {
	Room   string
	Key    string // 16 bytes, a hash of room and key; "" if there is none
	Record []byte
}

// An Outcome is where an item was appended, or its original was before.
type Outcome struct {
	Position  uint64
	Offset    uint64
	Duplicate bool
}

// An Entry is one of the log.
type Entry struct {
	Position uint64
	Room     string
	Offset   uint64
	Key      string // as that of its Item
	Record   []byte
}

// A Claim is how far a node has the log.
type Claim struct {
	Node     string
	Position uint64
	Newest   uint64 // the greatest number of an epoch that it knows
}

// A position is the number of an epoch and a count over all epochs: so one that follows another in the log has the next count,
// whatever its epoch.
const countBits = 40

// PositionOf returns the position of an entry of epoch n with a count.
func PositionOf(n, count uint64) uint64 { return n<<countBits | count }

// EpochOf returns the number of the epoch of a position.
func EpochOf(position uint64) uint64 { return position >> countBits }

// CountOf returns how many entries there were up to a position, with it, over all epochs.
func CountOf(position uint64) uint64 { return position & (1<<countBits - 1) }

// Keep is how many entries an engine's log holds at least, if nothing else is said.
const Keep = 100_000

// MostName is how long the name of a cluster may be, which is part of identifiers of PostgreSQL, that end after 63 bytes; MostNodeName that of a node,
// which may be its machine's (HOST_NAME_MAX).
const (
	MostName     = 40
	MostNodeName = 64
)

// CheckName says why a name is none for a cluster or a node.
func CheckName(name string, most int) error {
	if name == "" || len(name) > most || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		return fmt.Errorf("%q: from 1 to %d letters, digits, - . and _", name, most)
	}
	return nil
}

// ordinary is how long a call of an engine may take.
const ordinary = 4 * time.Second
