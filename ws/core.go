package ws

import (
	"errors"
	"net"
	"runtime/debug"
	"sync/atomic"

	"github.com/lxzan/gws"

	"edgechat/limit"
	"edgechat/refusal"
	"edgechat/ws/internal/outbox"
)

// A Stream is a supply of encoded frames that a connection shares with others
// and takes at the pace of its peer. Its methods are called one at a time,
// with a lock of the connection held: they must not call the connection.
type Stream = outbox.Stream

// core is what a connection is apart from the type of its messages.
type core struct {
	rt     *Router
	h      handler
	out    outbox.Box   // with its driver as the transport
	source limit.Addr   // as what it counts
	frames limit.Bucket // what is left of Limits.Frames; of the goroutine that reads
	place  int32        // in the registry, which guards it

	// Owned by the goroutine that reads: the loop's, or its own.
	unread   int32       // bytes that gws was given and that are no whole message yet
	size     int32       // bytes of the message that is with its handler
	scrap    int32       // bytes that came after the close was asked for
	req      *Request    // nil once Open or Handle has returned
	socket   *gws.Conn   // nil while it is parked
	endErr   *CloseError // how the connection ended, for Closed; nil is well
	looped   bool        // the reading was begun
	handling bool        // a message is with its handler
	deaf     bool        // messages are dropped: the handler is done
	left     bool        // the loop over Messages was left: nothing more is read
	halted   bool        // gws is to read no more
	gone     bool        // reading failed: the peer is not there
	oneWay   bool        // it is a Feed: what its peer sends is dropped

	seen   atomic.Uint32 // tick of the last byte from the peer
	begun  atomic.Uint32 // tick of the first byte of a message that is not whole yet; 0 is none
	pauses atomic.Int32  // nothing is read while it is above 0
	pinged uint32        // tick of the last ping; the sweeper's
}

// A driver is what moves the bytes of one connection: an event loop, or a
// goroutine. It is the transport of its outbox.
type driver interface {
	outbox.Transport
	wake()                    // frames were queued, and are to be written together with others
	resume()                  // the connection is not paused any more
	later(f func() bool) bool // see core.Later
	peer() net.Addr
	peerLocked() net.Addr // for who holds the lock of the outbox, which is alive
	from() limit.Addr     // as what the connection counts
}

func (c *core) driver() driver { return c.out.Transport().(driver) }

// failedReason is what a peer learns of an error or panic of the handler.
const failedReason = "the server failed on this connection"

// end tells the handler that nothing more will come, and writes what is left.
func (c *core) end() {
	_ = c.caught(func() error {
		if c.endErr != nil {
			c.h.closed(c.endErr)
		} else {
			c.h.closed(nil)
		}
		return nil
	})
	c.out.DetachAll()
}

// caught turns a panic of the handler into an error.
func (c *core) caught(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = c.panicked(p)
		}
	}()
	return f()
}

// panicked makes an error of a panic of the handler.
func (c *core) panicked(p any) error {
	c.rt.stats.panics.Add(1)
	c.rt.cfg.Logger.Error("handler panicked", "addr", c.RemoteAddr(), "panic", p, "stack", string(debug.Stack()))
	return &CloseError{Code: refusal.CloseInternalError, Reason: failedReason}
}

// closeFor closes the connection as what its handler returned says, behind what
// its streams have.
func (c *core) closeFor(err error) {
	if err == nil {
		c.out.Close(refusal.CloseNormal, "", true)
		return
	}
	if e, ok := errors.AsType[*CloseError](err); ok {
		c.out.Close(e.Code, e.Reason, true)
		return
	}
	c.rt.cfg.Logger.Error("handler failed", "addr", c.RemoteAddr(), "err", err)
	c.out.Close(refusal.CloseInternalError, failedReason, true)
}
