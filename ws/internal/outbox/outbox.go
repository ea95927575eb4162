// Package outbox holds what one connection is to be written, in one order: the
// rest of a frame that was begun, frames for this connection alone, frames of the
// streams that it shares with others, and at last its close frame.
//
// Nothing here waits for a peer while it holds a lock: a [Transport] takes what it
// takes, and says later that it takes more. What a peer was not written yet is bounded by
// [Config.MaxPending] for frames of its own and costs a stream nothing but its cursor.
//
// The one rule for callers: a Stream is called with the Box locked, so it must not call
// the Box; all methods of a Box may be called from any goroutine.
package outbox

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"edgechat/refusal"
	"edgechat/ws/internal/frame"
)

// A Transport carries the bytes of one connection. Its methods are called with
// the Box locked and wait for nothing.
type Transport interface {
	// Try takes what it can of p without waiting, which may be nothing. full says that nothing more is taken for
	// now, which may be so though all of p was: a transport that encrypts holds what it took until it can write it. Of an
	// empty p it writes that.
	Try(p []byte) (n int, full bool, err error)
	// Full says that Try was full: Writable or Drain is to be called when more is taken.
	Full()
	// HangUp ends the writing, behind what was written.
	HangUp()
	// Cut ends reading and writing.
	Cut()
	// Widen has the kernel take some more of what a full buffer leaves: the rest
	// of a frame and a close frame.
	Widen()
}

// A Form is what frames are in the bytes of a connection. A Config that names none has those of WebSocket.
type Form interface {
	// Append appends a frame of opcode, as package frame has it: for this connection alone, a ping, or the last one.
	Append(dst []byte, opcode byte, payload []byte) []byte
	// Whole rounds n, which is more than 0, up to the end of a frame of p.
	Whole(p []byte, n int) int
	// ClosePayload returns the payload of the last frame.
	ClosePayload(code uint16, reason string) []byte
}

// webSocket is RFC 6455's.
type webSocket struct{}

func (webSocket) Append(dst []byte, opcode byte, payload []byte) []byte {
	return frame.Append(dst, opcode, payload)
}
func (webSocket) Whole(p []byte, n int) int { return frame.Whole(p, n) }
func (webSocket) ClosePayload(code uint16, reason string) []byte {
	return append([]byte{}, frame.ClosePayload(code, reason)...) // not nil: there is one
}

// A Config is what the boxes of all connections of a kind share.
type Config struct {
	MaxPending   int                  // bytes of frames for one connection alone
	CloseTimeout time.Duration        // from the close frame, once it is written, until the connection is cut
	Tick         *atomic.Uint32       // the clock
	Closed       *refusal.CloseCounts // counts how connections end
	Slow         *atomic.Uint64       // counts who was closed for taking too little
	// Closing is told that a close frame was asked for. It is called with the lock of the box, and may not use
	// it. It may be nil.
	Closing func(t Transport, code uint16, reason string)
	Form    Form // nil is WebSocket's
}

func (cfg *Config) form() Form {
	if cfg.Form != nil {
		return cfg.Form
	}
	return webSocket{}
}

// whole rounds n up to the end of a frame of p.
func (cfg *Config) whole(p []byte, n int) int {
	switch {
	case n == len(p): // of nearly every delivery
		return n
	case cfg.Form == nil:
		return frame.Whole(p, n)
	}
	return cfg.Form.Whole(p, n)
}

// A Box is the outbox of one connection.
type Box struct {
	cfg *Config
	t   Transport

	over atomic.Bool // closing or dead: for who reads, without the lock

	mu      sync.Mutex
	corked  bool // nothing is written yet
	full    bool // the transport takes no more for now
	closing bool // a close frame was asked for
	ended   bool // it is queued, or written
	hangUp  bool // the transport hangs up once it is written
	dead    bool // the connection is cut

	moved   uint32 // tick at which the peer last took a byte, or began to owe one
	pend    *pending
	streams streams
	idle    chan struct{} // closed when something was written, or the connection ends; nil if nobody waits
}

// pending is what a box holds itself; nil when there is nothing.
type pending struct {
	cut      []byte // the rest of a frame that was begun, or the answer to a handshake
	own      []byte // whole frames for this connection alone
	farewell []byte // payload of the close frame that comes behind what the streams have
}

var pool = sync.Pool{New: func() any { return new(pending) }}

// Init makes b ready. A corked one writes nothing before Uncork.
func (b *Box) Init(cfg *Config, t Transport, corked bool) { b.cfg, b.t, b.corked = cfg, t, corked }

// Transport returns what Init was given.
func (b *Box) Transport() Transport { return b.t }

// Over reports whether the connection is closing or cut: what comes from its peer is for nobody.
func (b *Box) Over() bool { return b.over.Load() }

// Queue adds a frame for this connection alone, which Flush writes. A peer that
// takes too little of them is closed with 1013; with wait, the call waits until there is room.
// It returns net.ErrClosed once the connection is closing.
func (b *Box) Queue(opcode byte, payload []byte, wait bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		if b.closing || b.dead {
			return net.ErrClosed
		}
		if b.pend == nil || len(b.pend.own) == 0 || len(b.pend.own)+len(payload) <= b.cfg.MaxPending {
			break
		}
		if !wait {
			b.slowLocked()
			return net.ErrClosed
		}
		b.awaitLocked()
	}
	p := b.pendLocked()
	p.own = b.cfg.form().Append(p.own, opcode, payload)
	return nil
}

// Unsent returns how many bytes of frames for this connection alone wait for its peer.
func (b *Box) Unsent() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pend == nil {
		return 0
	}
	return len(b.pend.own)
}

// Raw adds bytes that are no frame, before all frames: the answer to the handshake.
func (b *Box) Raw(p []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.dead {
		pend := b.pendLocked()
		pend.cut = append(pend.cut, p...)
	}
}

func (b *Box) pendLocked() *pending {
	if b.pend == nil {
		b.pend = pool.Get().(*pending)
	}
	return b.pend
}

// Uncork lets go what was queued so far, in one write.
func (b *Box) Uncork() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.corked = false
	b.flushLocked()
}

// Await returns when something was written, or the connection ends, unless
// met is true already. It is called again after each return.
func (b *Box) Await(met func() bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for !met() && !b.dead {
		b.awaitLocked()
	}
}

func (b *Box) awaitLocked() {
	if b.idle == nil {
		b.idle = make(chan struct{})
	}
	idle := b.idle
	b.mu.Unlock()
	<-idle
	b.mu.Lock()
}

// Wake has who waits look again.
func (b *Box) Wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.wakeLocked()
}

func (b *Box) wakeLocked() {
	if b.idle != nil {
		close(b.idle)
		b.idle = nil
	}
}

// AwaitWritten returns when nothing is pending any more or the connection is cut. It reports
// which: written, or not.
func (b *Box) AwaitWritten() (written bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.full && !b.dead {
		b.awaitLocked()
	}
	return !b.dead
}

// CheckProgress closes a peer that has taken nothing of what is pending for more than
// limit ticks with 1013, and cuts it if it is closing already. The sweeper calls it.
func (b *Box) CheckProgress(now, limit uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case !b.full || now-b.moved <= limit:
	case b.closing:
		b.killLocked()
	default:
		b.slowLocked()
	}
}

// slowLocked closes a peer that takes too little with 1013. Its kernel buffer is full, so it
// is given some more of it for the rest of a frame that was begun, and for the close frame,
// which it finds when it reads again.
func (b *Box) slowLocked() {
	if b.closing || b.dead {
		return
	}
	b.cfg.Slow.Add(1)
	b.moved = b.cfg.Tick.Load() // it has CloseTimeout for what is left to it
	b.t.Widen()
	b.closeLocked(refusal.CloseTryAgainLater, "too slow: come back and continue from the last message seen", false)
	time.AfterFunc(b.cfg.CloseTimeout, b.Kill)
}
