// Package cluster has several nodes serve the same rooms. One ordered log of all rooms is kept by an engine (package redis or
// postgres below this one); every node tails it, applies each entry to a store of its own, and delivers it then. So all that is read comes from the
// node's own store, and an engine that is away stops publishing alone.
//
//	Append ──batch──▶ engine ──tail──▶ every node: store, members
//	   done ◀── the entry came by the tail, and is as safe as the engine's setting or this node's file makes it
//
// The one rule: what is acknowledged is at its position in the log, or some node has it and appends it again.
//
// # Epochs
//
// An engine that was restarted, failed over or flushed is not trusted before the nodes have agreed on what the log holds (settle.go):
// the one that has most appends what the engine lost, and opens an epoch. Nodes that have more than that epoch begins with roll back, and
// what they take away under keys is appended again.
//
// # Goroutines and locks
//
// The tailer applies entries and is the only one that changes the store; the writer has one batch in flight; presence has three more. Close ends all and waits
// for them. Locks: mu of Log guards what waits; it is held for moments, and never while the store or the engine is called.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"edgechat/codec"
	"edgechat/store"
)

// A Config says what a Log is made of.
type Config struct {
	Store  *store.Follower // required; the caller closes it, after the Log
	Engine Engine          // required; the Log closes it
	Node   string          // the name of this node; no other may have it. Required
	// Address is where clients reach this node, which other nodes are told; "" is nowhere.
	Address string
	// Heard is told each second which other nodes were heard lately, from a goroutine of the Log. It must not block. May be nil.
	Heard func([]Peer)
	// QueueBytes bounds the messages that wait for the engine. Default 4 MiB.
	QueueBytes int
	// RingBytes bounds the newest entries that are held for an engine that loses them. Default 4 MiB.
	RingBytes int
	// Patience is how long a message that has a key is tried to be appended. Default 10 s.
	Patience time.Duration
	// ClaimTime is how long nodes claim before one leads. Default 1.5 s.
	ClaimTime time.Duration
	// Logger gets rare events. nil discards.
	Logger *slog.Logger
}

// A Log is a hub.Log of several nodes.
type Log struct {
	cfg     Config
	store   *store.Follower
	engine  Engine
	log     *slog.Logger
	ring    ring              // the tailer's
	epochs  map[uint64]Epoch  // that are known; the tailer's
	opened  uint64            // the greatest number that this node gave to an epoch
	told    map[uint64]string // names of those that the engine knows
	newest  uint64            // the greatest epoch of a log that was verified, and that this process followed; the tailer's
	hurry   chan struct{}     // somebody waits for the tail; of size 1
	work    chan struct{}     // there is something to be appended; of size 1
	stop    context.CancelFunc
	ctx     context.Context
	wg      sync.WaitGroup
	stats   counters
	state   atomic.Pointer[State] // as it was last seen; nil before
	trouble atomic.Pointer[trouble]
	applied atomic.Uint64 // position
	reached atomic.Bool   // the engine has answered last
	doubted atomic.Bool   // an append found that the log is another: it is to be looked at

	presence presence
	crowd    atomic.Pointer[Crowd] // as Meet was given it
	owed     owed
	lines    atomic.Pointer[[]Epoch] // what epochs holds, for all
	twins    atomic.Uint64           // broadcasts of another process with this node's name

	asking sync.Mutex // of who asks for others, see fresh

	mu      sync.Mutex
	next    *question // that is not asked yet
	queue   []*pending
	bytes   int
	waiting map[uint64][]*pending // by position, until that comes by the tail
	barrier []barrier
	voids   map[uint64]bool // positions, see void
	closed  bool
}

// A trouble is why nothing is appended.
type trouble struct {
	err   error
	since time.Time
}

// A barrier is somebody who waits until the tail has come to a position.
type barrier struct {
	position uint64
	passed   chan struct{}
}

// ErrForeign: this node's history is not of the log that the engine holds.
var ErrForeign = errors.New("cluster: this node's history is not of this cluster: begin with an empty data folder, or with a backup of another node")

// Open begins to follow the engine's log. It waits for nothing: an engine that is away is no error, see Ready. deliver and cut are set by
// Deliver, which is called before anything else.
func Open(cfg Config) (*Log, error) {
	if cfg.Store == nil || cfg.Engine == nil || cfg.Node == "" {
		return nil, errors.New("cluster: Config needs a Store, an Engine and the name of the Node")
	}
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = 4 << 20
	}
	if cfg.RingBytes == 0 {
		cfg.RingBytes = 4 << 20
	}
	if cfg.Patience == 0 {
		cfg.Patience = 10 * time.Second
	}
	if cfg.ClaimTime == 0 {
		cfg.ClaimTime = claimTime
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	l := &Log{
		cfg: cfg, store: cfg.Store, engine: cfg.Engine, log: cfg.Logger.With("node", cfg.Node, "engine", cfg.Engine.Describe()),
		ring: ring{limit: cfg.RingBytes}, epochs: map[uint64]Epoch{}, waiting: map[uint64][]*pending{}, voids: map[uint64]bool{},
		hurry: make(chan struct{}, 1), work: make(chan struct{}, 1),
	}
	l.lines.Store(new([]Epoch))
	l.owed.list = map[string]codec.Record{}
	l.presence.init(l)
	l.ctx, l.stop = context.WithCancel(context.Background())
	l.trouble.Store(&trouble{errors.New("the engine has not been asked yet"), time.Now()})
	return l, nil
}

// Deliver names who is told of messages, see hub.Log, and begins to follow.
func (l *Log) Deliver(deliver func(room string, m *codec.Message), cut func(room string, head codec.ID)) {
	l.store.Deliver(deliver, cut)
	l.applied.Store(l.store.Position())
	l.recall()
	l.again(l.owing())
	l.wg.Go(l.follow)
	l.wg.Go(l.write)
}

// Close ends what Deliver began. Whoever waits is told that his message is not taken, though it may be. The store stays open.
func (l *Log) Close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.stop()
	l.wg.Wait()
	l.strike()
	l.failAll(func(*pending) bool { return true }, errors.New("the server stops"))
	return l.engine.Close()
}

// Ready returns nil while messages are taken, else why they are not.
func (l *Log) Ready() error {
	if t := l.trouble.Load(); t != nil {
		return fmt.Errorf("cluster: %s: no message is taken since %s: %w", l.engine.Describe(), t.since.UTC().Format(time.RFC3339), t.err)
	}
	return nil
}

// troubled notes that nothing is appended.
func (l *Log) troubled(err error) {
	t := &trouble{err, time.Now()}
	if was := l.trouble.Load(); was != nil {
		t.since = was.since
	} else {
		l.log.Error("cluster engine away", "err", err)
	}
	l.trouble.Store(t)
}

func (l *Log) trusted() {
	if was := l.trouble.Swap(nil); was != nil {
		l.log.Info("cluster engine there", "since", was.since, "position", l.applied.Load())
	}
	signal(l.work)
}

// twin notes that another process has this node's name.
func (l *Log) twin() {
	if l.twins.Add(1) == 1 {
		l.log.Error("node name taken", "hint", "another process of the cluster is called so too: give each its own --node-name")
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// sleep waits, and reports whether the Log goes on.
func (l *Log) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-l.ctx.Done():
		return false
	}
}
