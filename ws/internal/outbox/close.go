package outbox

import (
	"time"

	"edgechat/refusal"
	"edgechat/ws/internal/frame"
)

// Close queues a close frame behind what is queued for this connection alone and
// drops what its streams have; with drain it comes behind that too. Only the
// first Close counts.
func (b *Box) Close(code uint16, reason string, drain bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closeLocked(code, reason, drain)
	b.flushLocked()
}

func (b *Box) closeLocked(code uint16, reason string, drain bool) {
	if b.closing || b.dead {
		return
	}
	b.closing = true
	b.cfg.Closed.Add(code)
	if b.cfg.Closing != nil {
		b.cfg.Closing(b.t, code, reason)
	}
	b.over.Store(true)
	b.pendLocked().farewell = b.cfg.form().ClosePayload(code, reason)
	if !drain {
		b.endLocked()
	}
	b.wakeLocked()
}

// endLocked queues the close frame.
func (b *Box) endLocked() {
	b.ended = true
	b.streams = streams{}
	p := b.pendLocked()
	p.own = b.cfg.form().Append(p.own, frame.Close, p.farewell)
	p.farewell = nil
}

// closeWrittenLocked is called when the close frame is with the transport: the peer has
// CloseTimeout to answer.
func (b *Box) closeWrittenLocked() {
	if b.hangUp {
		b.t.HangUp()
	}
	time.AfterFunc(b.cfg.CloseTimeout, b.Kill)
}

// HangUp has the transport hang up behind the close frame, which was asked for.
func (b *Box) HangUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hangUp = true
	b.flushLocked()
	if b.ended && b.pend == nil && !b.full && !b.dead {
		b.t.HangUp() // the close frame went before
	}
}

// Kill cuts the connection.
func (b *Box) Kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.killLocked()
}

func (b *Box) killLocked() {
	if b.dead {
		return
	}
	b.buryLocked()
	b.t.Cut()
}

// Bury is Kill for a transport that is gone, or is about to: gone is called with the Box locked.
func (b *Box) Bury(gone func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buryLocked()
	gone()
}

func (b *Box) buryLocked() {
	if !b.closing && !b.dead {
		b.cfg.Closed.Add(refusal.CloseAbnormal)
	}
	b.dead = true
	b.over.Store(true)
	b.pend, b.streams = nil, streams{}
	b.wakeLocked()
}

// Alive calls f with the Box locked if the connection was not cut: while f runs
// the transport is there.
func (b *Box) Alive(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.dead {
		f()
	}
}
