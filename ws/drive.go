package ws

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"edgechat/refusal"

	"github.com/lxzan/gws"
)

// start upgrades the connection and gives it to a driver. net/http's goroutine
// returns at once, and frees its buffers.
func (c *core) start(up *gws.Upgrader, head []byte, react bool) {
	c.seen.Store(c.rt.tick.Load())
	if !c.rt.conns.add(c) { // Shutdown came in between
		c.abandon()
		return
	}
	if react && (c.loop != nil || c.takeLoop()) {
		c.startOnLoop(up, head)
		return
	}
	c.raw = rawConn(c.nc)
	c.rt.wg.Go(func() { c.run(up, head) })
}

// upgrade answers the handshake. head, which came behind it, is what is read
// first.
func (c *core) upgrade(up *gws.Upgrader, head []byte) bool {
	var from io.Reader = (*wire)(c)
	if len(head) > 0 {
		from = io.MultiReader(bytes.NewReader(head), from)
	}
	socket, err := up.UpgradeFromConn((*wire)(c), newReader(from), gwsRequest(c.req.Request, c.req.subprotocol))
	if err != nil {
		c.rt.cfg.Logger.Debug("upgrade failed", "addr", c.RemoteAddr(), "err", err)
		return false
	}
	c.socket = socket
	c.rt.stats.accepted.Add(1)
	if log := c.rt.cfg.Logger; log.Enabled(context.Background(), slog.LevelDebug) {
		// The path alone: a query may hold a token.
		log.Debug("connected", "addr", c.RemoteAddr(), "path", c.req.URL.Path)
	}
	return true
}

// run is the goroutine driver. It ends when the handler has and the peer has
// gone or been cut.
func (c *core) run(up *gws.Upgrader, head []byte) {
	defer c.rt.conns.remove(c)
	defer c.kill()
	if !c.upgrade(up, head) {
		return
	}
	err := c.caught(c.h.serve)
	c.uncork()
	if c.readErr == nil || c.left { // else the peer is gone: a close frame has no reader
		c.closeFor(err)
	}
	if !c.looped {
		// Nobody has read. The peer's close frame is still to come.
		c.deaf = true
		_ = c.read()
	}
	c.end()
	c.finish()
}

// startOnLoop answers the handshake and runs Open where that was served: on the
// loop itself only if it waits for nothing. The rest is the loop's.
func (c *core) startOnLoop(up *gws.Upgrader, head []byte) {
	if !c.upgrade(up, nil) {
		c.kill()
	} else if err := c.caught(c.h.open); err != nil {
		c.deaf = true
		c.closeFor(err)
	}
	c.inTurn = false
	c.uncork()
	c.socket = nil // its first message revives it
	c.loop.post(func() { c.loop.add(c, head) })
}

// take takes the connection from whoever has served its handshake, with what came behind that.
func (c *core) take(w http.ResponseWriter, react bool) (head []byte, err error) {
	if react {
		if head, ok := c.takeArrival(w); ok {
			return head, nil
		}
	}
	c.nc, head, err = hijack(w, c.rt.cfg.SendBuffer)
	return head, err
}

// takeLoop moves the connection from net/http to a loop, if it can be there.
func (c *core) takeLoop() bool {
	if len(c.rt.loops) == 0 {
		return false
	}
	fd, err := takeDescriptor(c.nc)
	if err != nil {
		return false
	}
	c.fd, c.nc, c.loop = int32(fd), nil, c.rt.nextLoop()
	return true
}

func (rt *Router) nextLoop() *loop { return rt.loops[int(rt.turns.Add(1)%uint32(len(rt.loops)))] }

// abandon refuses a handshake that was good until Shutdown came in between, and closes the
// connection, of which nobody knows.
func (c *core) abandon() {
	answer := shuttingDown().Bytes()
	if c.nc != nil {
		_ = c.nc.SetWriteDeadline(time.Now().Add(c.rt.cfg.CloseTimeout))
		_, _ = c.nc.Write(answer)
		_ = c.nc.Close()
		return
	}
	_, _ = tryDescriptor(c.fd, answer)
	closeDescriptor(c.fd)
}

// end tells the handler that nothing more will come.
func (c *core) end() {
	c.inTurn = c.loop != nil
	_ = c.caught(func() error { c.h.closed(c.endErr); return nil })
	c.inTurn = false
	c.mu.Lock()
	c.streams = nil
	c.flushLocked()
	c.mu.Unlock()
}

// caught turns a panic of the handler into an error.
func (c *core) caught(f func() error) error { return caught(func() *core { return c }, f) }

func caught(core func() *core, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c := core()
			c.rt.stats.panics.Add(1)
			c.rt.cfg.Logger.Error("handler panicked", "addr", c.RemoteAddr(), "panic", p, "stack", string(debug.Stack()))
			err = &CloseError{Code: refusal.CloseInternalError, Reason: failedReason}
		}
	}()
	return f()
}

// closeFor closes the connection as what its handler returned says.
func (c *core) closeFor(err error) {
	if err == nil {
		c.close(refusal.CloseNormal, "", true)
		return
	}
	if e, ok := errors.AsType[*CloseError](err); ok {
		c.close(e.Code, e.Reason, true)
		return
	}
	c.rt.cfg.Logger.Error("handler failed", "addr", c.RemoteAddr(), "err", err)
	c.close(refusal.CloseInternalError, failedReason, true)
}
