package ws

import (
	"io"
	"net"
	"slices"
)

// A Stream is a supply of encoded frames that a connection shares with others
// and takes at the pace of its peer. Its methods are called one at a time,
// with a lock of the connection held: they must not call the connection.
type Stream interface {
	// Pending returns whole frames that are to be written next, or nothing. They must
	// stay as they are until Wrote, or until the Stream is detached.
	Pending() []byte
	// Wrote says that the first n bytes of what Pending returned, whole frames,
	// are written or will be.
	Wrote(n int)
}

// pieceSize bounds what a peer that is behind is given at once, in bytes, so
// that its progress is seen.
const pieceSize = 16 << 10

// Attach has the connection write what s has pending too, behind everything that
// was sent before. It takes its streams in turns.
func (c *core) Attach(s Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing && !c.drain || c.ended || c.dead {
		return
	}
	c.streams = append(c.streams, s)
	c.flushLocked()
}

// Detach ends that: from its return on no method of s is called and no byte of what
// Pending returned is read any more.
func (c *core) Detach(s Stream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.streams, s)
	if i < 0 {
		return
	}
	c.streams = slices.Delete(c.streams, i, i+1)
	if c.at > i {
		c.at--
	}
	c.flushLocked() // a close frame may have waited for it
}

// Flush writes what is pending as far as the kernel takes it without waiting,
// and has the rest written as the peer takes it. It reports whether nothing is left.
func (c *core) Flush() (done bool) {
	c.mu.Lock()
	done = c.flushLocked()
	c.mu.Unlock() // not deferred: it runs for each delivery
	return done
}

// send queues one frame. With wait it first waits until there is room.
func (c *core) send(binary bool, payload []byte, wait bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for {
		if c.closing || c.dead {
			return net.ErrClosed
		}
		if len(c.out)+len(payload) <= c.rt.cfg.MaxPending || len(c.out) == 0 {
			break
		}
		if !wait {
			c.slowLocked("too slow: come back and continue from the last message seen")
			return net.ErrClosed
		}
		idle := c.waitLocked()
		c.mu.Unlock()
		<-idle
		c.mu.Lock()
	}
	c.out = AppendFrame(c.out, binary, payload)
	c.flushLocked()
	return nil
}

// control queues a ping or a pong.
func (c *core) control(opcode byte, payload []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.dead {
		return
	}
	if len(c.out) > c.rt.cfg.MaxPending {
		c.slowLocked("too slow: pings without reading the pongs")
		return
	}
	c.out = append(appendHeader(c.out, opcode, len(payload)), payload...)
	c.flushLocked()
}

// queue adds bytes that are no frame: the answer to the handshake.
func (c *core) queue(p []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return net.ErrClosed
	}
	c.out = append(c.out, p...)
	c.flushLocked()
	return nil
}

// uncork lets go what Open has queued, with the answer to the handshake, in
// one write.
func (c *core) uncork() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.corked = false
	c.flushLocked()
}

// nextLocked returns what is to be written next, from s if that is not nil.
func (c *core) nextLocked() (p []byte, s Stream) {
	if len(c.out) > 0 {
		return c.out, nil
	}
	for range c.streams {
		if c.at >= len(c.streams) {
			c.at = 0
		}
		s := c.streams[c.at]
		c.at++
		if p := s.Pending(); len(p) > 0 {
			return p, s
		}
	}
	if c.closing && !c.ended {
		c.endLocked()
		return c.out, nil
	}
	return nil, nil
}

// wroteLocked accounts for the first n bytes of p, which nextLocked returned.
func (c *core) wroteLocked(p []byte, s Stream, n int) {
	if n == 0 {
		return
	}
	c.moved = c.rt.tick.Load()
	if s != nil {
		// The rest of a frame that was begun is a debt of this connection: it
		// goes before all that was queued meanwhile, and a cursor stays between
		// frames.
		end := wholeFrames(p, n)
		c.out = slices.Insert(c.out, 0, p[n:end]...)
		if slices.Contains(c.streams, s) { // it may be detached since
			s.Wrote(end)
		}
		return
	}
	if c.out = c.out[n:]; len(c.out) > 0 {
		return
	}
	c.out = nil
	c.wakeLocked()
	if c.ended {
		c.closeWritten()
	}
}

func (c *core) flushLocked() (done bool) {
	if c.writing || c.corked || c.dead {
		return false
	}
	for {
		p, s := c.nextLocked()
		if len(p) == 0 {
			return true
		}
		if c.raw == nil && c.loop == nil { // it cannot be tried without waiting
			c.startWriter()
			return false
		}
		n, err := c.tryLocked(p)
		if err != nil {
			c.killLocked() // the stream may be cut in a frame: nothing may follow
			return false
		}
		c.wroteLocked(p, s, n)
		if n < len(p) {
			c.startWriter()
			return false
		}
	}
}

// tryLocked writes what the kernel takes of p without waiting.
func (c *core) tryLocked(p []byte) (n int, err error) {
	if c.loop != nil {
		return tryDescriptor(c.fd, p)
	}
	return tryWrite(c.raw, p)
}

// writable is called by the loop when the kernel takes bytes again.
func (c *core) writable() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writing {
		c.writing = false
		c.flushLocked()
	}
}

// startWriter has the rest written as the peer takes it: by the loop, or by a
// goroutine that ends when nothing is pending, or the connection is cut.
func (c *core) startWriter() {
	c.writing = true
	c.moved = c.rt.tick.Load()
	if c.loop != nil {
		return // the loop is told when there is room
	}
	c.rt.wg.Go(c.writer)
}

func (c *core) writer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	var buf []byte
	for !c.dead {
		p, s := c.nextLocked()
		if len(p) == 0 {
			break
		}
		if s != nil { // a copy: it may be detached while this is written
			buf = append(buf[:0], p[:wholeFrames(p, min(len(p), pieceSize))]...)
			p = buf
		}
		c.mu.Unlock()
		n, err := c.writeWaiting(p[:min(len(p), pieceSize)])
		c.mu.Lock()
		if c.dead {
			break // cut meanwhile: what p was of is gone
		}
		if err != nil {
			c.killLocked() // the stream may be cut in a frame: nothing may follow
			break
		}
		c.wroteLocked(p, s, n)
	}
	c.writing = false
	c.wakeLocked()
}

// writeWaiting writes some of p once the peer takes it.
func (c *core) writeWaiting(p []byte) (n int, err error) {
	if c.raw != nil {
		return waitWrite(c.raw, p)
	}
	n, err = c.nc.Write(p)
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	return n, err
}

// waitLocked returns a channel that is closed when something was written or
// the connection ends.
func (c *core) waitLocked() <-chan struct{} {
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	return c.idle
}

func (c *core) wakeLocked() {
	if c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}
