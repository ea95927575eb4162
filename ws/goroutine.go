package ws

import (
	"context"
	"io"
	"log/slog"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"edgechat/limit"
)

// onGoroutine is the driver of a connection that a goroutine of its own reads, in
// gws's ReadLoop. Another writes while the peer is behind.
type onGoroutine struct {
	wire
	nc    net.Conn
	raw   syscall.RawConn // nil if nc cannot be written without waiting
	head  []byte          // came with the handshake, and is read first
	react bool

	busy    atomic.Bool // a Session runs: what it sends is written before the next read
	flusher atomic.Bool // a goroutine is about to flush
}

// drive gives c to goroutines. head, which came behind the handshake, is what is read
// first.
func (c *core) drive(nc net.Conn, head []byte, react bool) {
	d := &onGoroutine{nc: nc, raw: rawConn(nc), head: head, react: react}
	c.out.Init(c.h.box(), d, true) // nothing goes before the answer to the handshake, and with it what Open sends
	d.init(c, d.nextBytes)
	d.busy.Store(react)
	c.rt.conns.add(c)
	if c.oneWay {
		c.rt.wg.Go(d.runFeed)
		return
	}
	c.rt.wg.Go(d.run)
}

// run ends when the handler has and the peer has gone or been cut.
func (d *onGoroutine) run() {
	c := d.c
	defer c.rt.conns.remove(c)
	defer c.out.Kill()
	c.answer()
	socket, err := c.h.upgrader().UpgradeFromConn(&d.wire, d.br, fixedRequest)
	if err != nil { // it writes to us alone: it cannot fail
		c.rt.cfg.Logger.Error("upgrade failed", "addr", d.peer(), "err", err)
		return
	}
	c.socket = socket
	if !d.react {
		c.out.Uncork()
	}
	err = c.caught(c.h.serve)
	c.out.Uncork()
	if !c.gone { // else the peer is gone: a close frame has no reader
		c.closeFor(err)
	}
	if !c.looped {
		// Nobody has read. The peer's close frame is still to come.
		c.deaf = true
		_ = c.read()
	}
	c.end()
	d.busy.Store(false)
	c.out.Flush()
	if !c.gone {
		d.linger()
	}
}

// linger waits until what is left is written and the peer has hung up, so that its last
// bytes do not turn our close frame into a reset.
func (d *onGoroutine) linger() {
	if !d.c.out.AwaitWritten() { // the sweeper cuts a peer that takes nothing
		return
	}
	if half, ok := d.nc.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	end := time.Now().Add(d.c.rt.cfg.CloseTimeout)
	_ = d.nc.SetReadDeadline(end)
	var scrap [256]byte
	for !d.c.sated() {
		n, err := d.nc.Read(scrap[:])
		if err != nil {
			return
		}
		d.c.drop(n)
	}
	time.Sleep(time.Until(end)) // see maxScrap
}

// nextBytes is what gws reads. What was sent meanwhile is written first, in one write.
func (d *onGoroutine) nextBytes(p []byte) (int, error) {
	if d.react {
		d.busy.Store(false)
		d.c.out.Flush()
		defer d.busy.Store(true)
	}
	d.awaitResume()
	if len(d.head) > 0 {
		n := copy(p, d.head)
		d.head = d.head[n:]
		return n, nil
	}
	n, err := d.nc.Read(p)
	d.c.seen.Store(d.c.rt.tick.Load())
	if err == nil {
		d.awaitResume() // it may have waited for long
	}
	return n, err
}

// awaitResume returns once the connection is not paused, or is closing.
func (d *onGoroutine) awaitResume() {
	if d.c.paused() {
		d.c.out.Await(func() bool { return !d.c.paused() || d.c.out.Over() })
	}
}

func (d *onGoroutine) resume()                { d.c.out.Wake() }
func (d *onGoroutine) later(func() bool) bool { return false }
func (d *onGoroutine) peer() net.Addr         { return d.nc.RemoteAddr() }
func (d *onGoroutine) peerLocked() net.Addr   { return d.peer() }
func (d *onGoroutine) from() limit.Addr       { return d.c.source }

// wake flushes, so that what others send at once leaves together: not before a
// goroutine of its own comes to it, or the Session that runs has ended. A
// Handle route's frames leave at once.
func (d *onGoroutine) wake() {
	switch {
	case !d.react:
		d.c.out.Flush()
	case !d.busy.Load() && d.flusher.CompareAndSwap(false, true):
		d.c.rt.wg.Go(func() {
			d.flusher.Store(false)
			d.c.out.Flush()
		})
	}
}

// Try implements outbox.Transport.
func (d *onGoroutine) Try(p []byte) (n int, full bool, err error) {
	switch {
	case len(p) == 0:
		return 0, false, nil
	case d.raw == nil: // it cannot be tried without waiting
		return 0, true, nil
	}
	n, err = tryWrite(d.raw, p)
	return n, n < len(p), err
}

// Full has a goroutine write as the peer takes it, which ends when nothing is pending
// or the connection is cut.
func (d *onGoroutine) Full() { d.c.rt.wg.Go(func() { d.c.out.Drain(d.write) }) }

// write writes some of p once the peer takes it.
func (d *onGoroutine) write(p []byte) (n int, err error) {
	if d.raw != nil {
		return waitWrite(d.raw, p)
	}
	n, err = d.nc.Write(p)
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	return n, err
}

// HangUp is linger's, which follows what is read. Of a Feed nothing is, and the end of it is an answer's: TLS may have to wait to say so.
func (d *onGoroutine) HangUp() {
	if half, ok := d.nc.(interface{ CloseWrite() error }); ok && d.c.oneWay {
		d.c.rt.wg.Go(func() { _ = half.CloseWrite() })
	}
}

func (d *onGoroutine) Cut() { _ = d.nc.Close() }

func (d *onGoroutine) Widen() { setSendBuffer(d.nc, 2*d.c.rt.cfg.SendBuffer) }

// setSendBuffer bounds what the kernel holds for the peer of nc, in bytes.
func setSendBuffer(nc net.Conn, size int) {
	if sized, ok := underneath(nc).(interface{ SetWriteBuffer(size int) error }); ok {
		_ = sized.SetWriteBuffer(size) // a smaller bound is a wish, not a need
	}
}

// answer queues the answer to the handshake, before all frames.
func (c *core) answer() {
	c.seen.Store(c.rt.tick.Load())
	c.out.Raw(c.h.answer())
	if c.oneWay {
		c.rt.stats.feeds.Add(1)
	} else {
		c.rt.stats.accepted.Add(1)
	}
	if log := c.rt.cfg.Logger; log.Enabled(context.Background(), slog.LevelDebug) {
		// The path alone: a query may hold a token.
		log.Debug("connected", "addr", c.RemoteAddr(), "path", c.req.URL.Path)
	}
}
