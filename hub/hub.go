// Package hub holds the live rooms: who is in them, what they are sent, in
// which order. It keeps no message (its Log does) and knows no socket (its
// Conns do).
//
// A member is a cursor, not a queue. For each format in use a room has one log
// of encoded frames; a member is a position in it, and is written from there
// by its connection as fast as its peer takes it. A member that falls out of
// the log goes on from the Log by offset, which is also how joining replays.
//
// Two lock tiers: a stripe's, which guards which rooms there are, then a
// room's. A connection may call Member's Pending and Wrote with its own lock
// held, so the hub never calls a Conn while it holds a room's lock; and it
// calls the Log with no lock at all, since the Log delivers with its own.
//
// Who has to wait for the disk has it done by a loader: joins with a replay, members that
// fell behind, histories for HTTP. Their pages are small, and bounded all together.
//
// The one rule for callers: Join, attach the Member to the connection, Leave when
// the connection ends.
package hub

import (
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"

	"edgechat/codec"
	"edgechat/metrics"
)

// A Format makes the bytes that go over the wire for one kind of member, its framing
// included. Its functions append to dst and may be called from several
// goroutines at once.
type Format struct {
	Message func(dst []byte, room string, m *codec.Message) []byte
	Event   func(dst []byte, room string, e *codec.Event) []byte
}

// A Config says what a Hub works with.
type Config struct {
	// Log numbers and keeps the messages. Required.
	Log Log
	// Formats are what members may ask for, by index. At least one.
	Formats []Format
	// LogBytes bounds the frames that a room holds for members that are behind, for each
	// format, in bytes. Three quarters of it are always held: who is not further
	// behind misses no event. While publishers wait for members who read it is twice as much. Default 256 KiB.
	LogBytes int
	// PageBytes bounds, all together, the frames that members which are behind have from the
	// Log and have not been written, in bytes. What is over it is taken away from those who
	// have had it for longest, and read again once they take something. Default 8 MiB.
	PageBytes int
	// HistoryReads is how many histories are read at once, each of which holds messages of
	// 64 KiB; others wait. Default 32.
	HistoryReads int
	// HistoryQueue is how many may wait; who comes then gets ErrBusy. Default 256.
	HistoryQueue int
	// MembersPerRoom is how many members a room may have at once. Default no limit.
	MembersPerRoom int
	// TypingInterval, in milliseconds: a member's typing is passed on once in
	// that time. Default 1000.
	TypingInterval int64
	// Announced is told of joined, left and typing of each member that is not quiet, in their order within a room, so that others may tell
	// it to their members; see Abroad. It must neither block nor call the hub, and not keep the event. nil is nobody.
	Announced func(room string, e *codec.Event)
	// Logger gets rare events. nil discards.
	Logger *slog.Logger

	waits waits // of gates; tests make them short
}

// stripes is how many locks share the rooms: a power of two, some times the cores of any
// board.
const stripes = 64

// A Hub is the set of live rooms. Its methods may be called from any goroutine.
type Hub struct {
	cfg     Config
	seed    maphash.Seed
	stripes [stripes]stripe
	loaders loaders
	pages   pages
	abroad  abroad
	reads   chan struct{} // a place for each history that is read
	queued  atomic.Int64  // histories that wait for one
	stats   counters
	wg      sync.WaitGroup // flushers and loaders
}

// New returns a Hub without rooms and has cfg.Log deliver to it.
func New(cfg Config) (*Hub, error) {
	if cfg.Log == nil || len(cfg.Formats) == 0 {
		return nil, errors.New("hub: Config needs a Log and a Format")
	}
	if cfg.LogBytes == 0 {
		cfg.LogBytes = 256 << 10
	}
	if cfg.TypingInterval == 0 {
		cfg.TypingInterval = 1000
	}
	if cfg.PageBytes == 0 {
		cfg.PageBytes = 8 << 20
	}
	if cfg.HistoryReads == 0 {
		cfg.HistoryReads = 32
	}
	if cfg.waits == (waits{}) {
		cfg.waits = gateWaits
	}
	if cfg.HistoryQueue == 0 {
		cfg.HistoryQueue = 256
	}
	if cfg.LogBytes < chunkMin || cfg.TypingInterval < 0 {
		return nil, fmt.Errorf("hub: LogBytes is %d, must be at least %d; TypingInterval is %d, must not be negative", cfg.LogBytes, chunkMin, cfg.TypingInterval)
	}
	if cfg.PageBytes < 0 || cfg.HistoryReads < 0 || cfg.HistoryQueue < 0 {
		return nil, fmt.Errorf("hub: PageBytes is %d, HistoryReads is %d, HistoryQueue is %d; none may be negative", cfg.PageBytes, cfg.HistoryReads, cfg.HistoryQueue)
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	h := &Hub{cfg: cfg, seed: maphash.MakeSeed(), reads: make(chan struct{}, cfg.HistoryReads)}
	h.pages.init(cfg.PageBytes)
	for i := range h.stripes {
		h.stripes[i].rooms = make(map[string]*room)
	}
	cfg.Log.Deliver(h.deliver, h.cut)
	return h, nil
}

// Close waits for the goroutines of the hub, which end by themselves once all
// members have left. Nothing may be called afterwards.
func (h *Hub) Close() { h.wg.Wait() }

// Publish has the Log number m and everyone in the room, if anyone is there, get it. See
// Log.Append for the rest. If those who read there are too far behind it waits for
// them first, for some seconds at most; see gate.
func (h *Hub) Publish(roomName string, m codec.Message, key string, done codec.Done) error {
	h.stats.published.Add(1)
	h.stats.posted.Add(1)
	if r := h.find(roomName); r != nil {
		r.gate.wait()
		defer r.relieve()
	}
	return h.cfg.Log.Append(roomName, m, key, done)
}

// Revise is Publish of an edit or a deletion, see Log.Revise.
func (h *Hub) Revise(roomName string, m codec.Message, claim codec.Claim, key string, done codec.Done) error {
	h.stats.published.Add(1)
	if r := h.find(roomName); r != nil {
		r.gate.wait()
		defer r.relieve()
	}
	return h.cfg.Log.Revise(roomName, m, claim, key, done)
}

// deliver gives a message of the Log to its room.
func (h *Hub) deliver(roomName string, m *codec.Message) {
	if r := h.find(roomName); r != nil {
		r.deliver(m)
	}
}

// cut ends the connections of a room whose newest messages the Log has lost.
func (h *Hub) cut(roomName string, head codec.ID) {
	if r := h.find(roomName); r != nil {
		r.cut(head)
	}
}

// Stats are counters since the start, save for Rooms and Members.
type Stats struct {
	Rooms     int    // live rooms now
	Members   int    // members now, without the quiet ones
	Quiet     int    // quiet members now, see Join.Quiet
	Published uint64 // messages given to the Log
	Posted    uint64 // of these: by somebody who is no member
	Delivered uint64 // messages that members have taken, those of replays included
	Joins     uint64
	Recovered uint64            // joins from a message on after which nothing was missing
	Gaps      uint64            // and that something was missing after
	Delays    metrics.Durations // from when a message got its number until the walk ended in which members had it written
	Writes    uint64            // times that a member has taken something, each of which is a write to its peer
	Lagged    uint64            // times that a member fell out of its room's log and went on from the Log
	Lost      uint64            // members closed because the Log no longer had what they missed
	Slowed    uint64            // times that publishers had to wait for those who read in their room
	Excused   uint64            // and members that were not waited for any longer
	Relieved  uint64            // times that a publisher had to write to a room himself, which was full before he could be paused
	Typing    uint64            // typing events left out because they came too fast
	Pages     int               // bytes that members which are behind have from the Log now, see Config.PageBytes
	Recalled  uint64            // times that a page was taken away to keep that bound
	Histories uint64            // histories that were read
	Busy      uint64            // and that were refused with ErrBusy
	Full      uint64            // joins that were refused since their room was full, by Full or with ErrFull
	Cut       uint64            // members closed because the Log lost the newest of what they had
}

type counters struct {
	delays metrics.Histogram

	posted, delivered, recovered, gaps,
	published, joins, writes, lagged, lost, slowed, excused, relieved, typing, histories, busy, full, cut atomic.Uint64
}

// Stats returns the counters as they are now.
func (h *Hub) Stats() Stats {
	s := Stats{
		Published: h.stats.published.Load(), Joins: h.stats.joins.Load(), Writes: h.stats.writes.Load(), Lagged: h.stats.lagged.Load(),
		Lost: h.stats.lost.Load(), Typing: h.stats.typing.Load(),
		Pages: h.pages.size(), Recalled: h.pages.recalled.Load(), Slowed: h.stats.slowed.Load(), Excused: h.stats.excused.Load(), Relieved: h.stats.relieved.Load(),
		Histories: h.stats.histories.Load(), Busy: h.stats.busy.Load(), Full: h.stats.full.Load(), Cut: h.stats.cut.Load(),
		Posted: h.stats.posted.Load(), Delivered: h.stats.delivered.Load(), Recovered: h.stats.recovered.Load(), Gaps: h.stats.gaps.Load(),
		Delays: h.stats.delays.Read(),
	}
	for _, r := range h.live() {
		s.Rooms++
		r.mu.Lock()
		s.Members += len(r.members) - r.quiet
		s.Quiet += r.quiet
		s.Writes += r.writes
		s.Delivered += r.delivered
		r.mu.Unlock()
	}
	return s
}
