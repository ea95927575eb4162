package outbox

import "sync"

const (
	// gatherSize is how much of several sources is copied together to be one write,
	// in bytes: a system call costs as much as copying some 16 KiB.
	gatherSize = 8 << 10
	// pieceSize bounds what a Drain takes at once, in bytes, so that the peer's progress is seen.
	pieceSize = 16 << 10
	// keptSize is the largest buffer that is kept for the next.
	keptSize = 4 << 10
)

// Flush writes what is pending as far as it is taken without waiting,
// and has the rest written as the peer takes it. It reports whether nothing is left.
func (b *Box) Flush() (done bool) {
	b.mu.Lock()
	done = b.flushLocked()
	b.mu.Unlock() // not deferred: it runs for each delivery
	return done
}

// Writable says that the transport takes bytes again.
func (b *Box) Writable() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.full {
		return
	}
	b.full = false
	if _, more := b.tryLocked(nil); !more {
		return
	}
	if b.ended && b.pend == nil {
		b.closeWrittenLocked()
		return
	}
	b.flushLocked()
}

// Push writes what the transport holds by itself.
func (b *Box) Push() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.full && !b.dead {
		b.tryLocked(nil)
	}
}

func (b *Box) flushLocked() (done bool) {
	for !b.full && !b.corked && !b.dead {
		var more bool
		switch {
		case b.pend == nil && b.streams.only != nil: // the way of nearly every delivery
			p := b.streams.only.Pending()
			if len(p) == 0 {
				return true
			}
			n, ok := b.tryLocked(p)
			b.streamWroteLocked(b.streams.only, p, n)
			more = ok
		case b.pend == nil && b.streams.many == nil:
			return true
		default:
			more, done = b.gatherLocked()
		}
		if done || !more {
			return done
		}
	}
	return false
}

// tryLocked writes some of p. It reports whether the transport takes more.
func (b *Box) tryLocked(p []byte) (n int, more bool) {
	n, full, err := b.t.Try(p)
	if err != nil {
		b.killLocked() // it may be cut in a frame: nothing may follow
		return 0, false
	}
	if n > 0 {
		b.moved = b.cfg.Tick.Load()
	}
	if full {
		b.fullLocked()
	}
	return n, !full
}

func (b *Box) fullLocked() {
	b.full = true
	b.moved = b.cfg.Tick.Load()
	b.t.Full()
}

// streamWroteLocked accounts for n bytes of p, which s has. The rest of a frame
// that was begun is a debt of this connection: it goes before everything else, and
// a stream's cursor stays between frames.
func (b *Box) streamWroteLocked(s Stream, p []byte, n int) {
	if n == 0 || b.dead {
		return
	}
	end := b.cfg.whole(p, n)
	if end > n {
		pend := b.pendLocked()
		pend.cut = append(pend.cut, p[n:end]...)
	}
	s.Wrote(end)
}

// A gathering is what several sources have, as one write.
type gathering struct {
	buf   []byte
	parts []part
}

type part struct {
	s Stream // nil for what is the box's own
	p []byte
}

var gatherings = sync.Pool{New: func() any { return new(gathering) }}

// gatherLocked writes what all sources have, as one write if that is little.
func (b *Box) gatherLocked() (more, done bool) {
	g := gatherings.Get().(*gathering)
	defer g.release()
	size := 0
	add := func(s Stream, p []byte) (fits bool) {
		if len(p) == 0 {
			return true
		}
		if size > 0 && size+len(p) > gatherSize {
			return false
		}
		size += len(p)
		g.parts = append(g.parts, part{s, p})
		return true
	}
	if b.pend == nil || add(nil, b.pend.cut) && add(nil, b.pend.own) {
		b.streams.each(add)
	}
	switch len(g.parts) {
	case 0:
		if b.closing && !b.ended {
			b.endLocked()
			return true, false
		}
		return false, true
	case 1:
		n, more := b.tryLocked(g.parts[0].p)
		b.partsWroteLocked(g.parts, n)
		return more, false
	}
	for _, part := range g.parts {
		g.buf = append(g.buf, part.p...)
	}
	n, more := b.tryLocked(g.buf)
	b.partsWroteLocked(g.parts, n)
	return more, false
}

func (g *gathering) release() {
	clear(g.parts)
	g.parts = g.parts[:0]
	if cap(g.buf) > 2*gatherSize {
		g.buf = nil
	}
	g.buf = g.buf[:0]
	gatherings.Put(g)
}

// partsWroteLocked accounts for the first n bytes of parts.
func (b *Box) partsWroteLocked(parts []part, n int) {
	for _, part := range parts {
		k := min(n, len(part.p))
		n -= k
		switch {
		case k == 0 || b.dead:
			return
		case part.s != nil:
			b.streamWroteLocked(part.s, part.p, k)
		default:
			b.ownWroteLocked(k)
		}
	}
}

// ownWroteLocked accounts for n bytes of cut, or of own if there is none.
func (b *Box) ownWroteLocked(n int) {
	p := b.pend
	if len(p.cut) > 0 {
		p.cut = p.cut[:copy(p.cut, p.cut[n:])]
	} else {
		end := b.cfg.whole(p.own, n)
		p.cut = append(p.cut, p.own[n:end]...)
		p.own = p.own[:copy(p.own, p.own[end:])]
	}
	b.emptiedLocked()
}

// emptiedLocked gives back what is empty, and tells who waits.
func (b *Box) emptiedLocked() {
	b.wakeLocked()
	p := b.pend
	if len(p.cut)+len(p.own) > 0 || p.farewell != nil {
		return
	}
	b.pend = nil
	if cap(p.cut) > keptSize {
		p.cut = nil
	}
	if cap(p.own) > keptSize {
		p.own = nil
	}
	pool.Put(p)
	if b.ended && !b.full { // else the transport holds some of it, and Writable follows
		b.closeWrittenLocked()
	}
}

// Drain writes all that is pending with write, which waits for the peer, and so does
// Drain. It returns when nothing is left, or the connection is cut.
func (b *Box) Drain(write func(p []byte) (int, error)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var buf []byte
	for !b.dead {
		if buf = b.takeLocked(buf[:0]); len(buf) == 0 {
			break
		}
		for p := buf; len(p) > 0 && !b.dead; {
			b.mu.Unlock()
			n, err := write(p[:min(len(p), pieceSize)])
			b.mu.Lock()
			if err != nil {
				b.killLocked()
				break
			}
			b.moved = b.cfg.Tick.Load()
			p = p[n:]
		}
		if b.ended && b.pend == nil && !b.dead {
			b.closeWrittenLocked()
		}
	}
	b.full = false
	b.wakeLocked()
}

// takeLocked moves what is to be written next into buf: nobody else reads that, be
// its stream detached meanwhile.
func (b *Box) takeLocked(buf []byte) []byte {
	if b.pend != nil {
		buf = append(append(buf, b.pend.cut...), b.pend.own...)
		b.pend.cut, b.pend.own = b.pend.cut[:0], b.pend.own[:0]
		closed := b.ended
		b.ended = false // it is not written yet
		b.emptiedLocked()
		b.ended = closed
	}
	b.streams.each(func(s Stream, p []byte) (fits bool) {
		if len(buf) >= pieceSize {
			return false
		}
		n := b.cfg.whole(p, min(len(p), pieceSize))
		buf = append(buf, p[:n]...)
		s.Wrote(n)
		return true
	})
	if len(buf) == 0 && b.closing && !b.ended {
		b.endLocked()
		return b.takeLocked(buf)
	}
	return buf
}
