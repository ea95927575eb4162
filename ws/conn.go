package ws

import (
	"encoding/json"
	"fmt"
	"iter"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"edgechat/refusal"

	"github.com/lxzan/gws"
)

// A Conn is one WebSocket connection of a route.
type Conn[In any] struct {
	core
	route   *endpoint[In]
	session Session[In]          // React
	yield   func(In, error) bool // Handle, while its loop over Messages runs
}

// core is what a connection is apart from the type of its messages.
type core struct {
	rt    *Router
	h     handler
	nc    net.Conn        // nil on a loop
	raw   syscall.RawConn // nil if nc cannot be written without waiting
	loop  *loop           // nil without one
	fd    int32           // on a loop, which alone closes it; else -1
	place int32           // in the registry, which guards it

	// Owned by the goroutine that reads: the loop's, or its own.
	talk     *talk    // nil without a loop, and while parked
	over     bool     // on a loop: nothing more is read, and the handler knows
	gone     bool     // on a loop: fd is closed
	req      *Request // nil once Open or Handle has returned
	socket   *gws.Conn
	unread   int32 // bytes since the last whole message
	readErr  error // why nothing more can be read
	endErr   error // how the connection ended, for Closed
	looped   bool  // ReadLoop was called
	handling bool  // a message is with its handler
	inTurn   bool  // Open or Closed runs on the loop
	unheard  bool  // on a loop: there is input that was not read while it was paused
	deaf     bool  // messages are dropped: the handler is done
	left     bool  // the loop over Messages was left: nothing more is read

	seen   atomic.Uint32 // tick of the last byte from the peer
	paused atomic.Bool   // nothing is read

	mu       sync.Mutex
	out      []byte        // frames for this connection alone; the first may be the rest of one
	streams  []Stream      // frames shared with others, written when out is empty
	at       int           // the one of streams that is next
	corked   bool          // nothing is written yet
	writing  bool          // a writer goroutine, or the loop, waits for the peer
	closing  bool          // a close frame was asked for
	drain    bool          // the close frame comes after what stream has
	ended    bool          // the close frame is in out, or written
	hangUp   bool          // on a loop: the write side is shut once the close frame is written
	dead     bool          // the connection is cut
	farewell []byte        // payload of the close frame that was asked for
	pinged   uint32        // tick of the last ping
	moved    uint32        // tick at which the peer last took a byte, or began to owe one
	idle     chan struct{} // closed when the writer goroutine ends, or out has room; nil if nobody waits
}

// A handler is a Conn[In] as its core sees it.
type handler interface {
	serve() error                     // runs Handle, or Open and the reading
	message(binary bool, data []byte) // data is valid until it returns
	limit() int                       // bytes of a message
	closed(err error)
	open() error             // runs Open
	upgrader() *gws.Upgrader // for a connection that is revived
}

// A CloseError is the end of a connection that was not a normal one. Returned by
// a handler it names the close code to send.
type CloseError struct {
	Code   uint16 // RFC 6455 section 7.4; 1006 if there was no close frame
	Reason string
}

func (e *CloseError) Error() string { return fmt.Sprintf("ws: closed with %d %s", e.Code, e.Reason) }

// Request returns the request of the handshake. It is valid until Open or
// Handle returns, nil afterwards.
func (c *core) Request() *Request { return c.req }

// Subprotocol returns what was agreed on, or "". It is valid as long as Request.
func (c *core) Subprotocol() string { return c.req.subprotocol }

// RemoteAddr returns the address of the peer.
func (c *core) RemoteAddr() net.Addr {
	if c.loop == nil {
		return c.nc.RemoteAddr()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return &net.TCPAddr{}
	}
	return peerOf(c.fd)
}

// Later has f called at the end of the event loop's turn in which a message of
// this connection is handled, or Open or Closed runs, and once in each later turn for as long
// as it returns true: what is large is so done in slices, between which others get their share.
// It reports whether there is such a turn; without one f is not called. It is called by these
// alone. What a turn publishes can so go out in one write.
func (c *core) Later(f func() (more bool)) bool {
	if c.loop == nil || !c.handling && !c.inTurn {
		return false
	}
	c.loop.atEnd(f)
	return true
}

// Send encodes v as the route's Encode says and queues it for the peer.
// On a Handle route it waits while more than Config.MaxPending bytes are
// pending. It returns net.ErrClosed once the connection is closing.
func (c *Conn[In]) Send(v any) error {
	if c.route.Encode != nil {
		payload, binary, err := c.route.Encode(v)
		if err != nil {
			return fmt.Errorf("ws: encode: %w", err)
		}
		return c.SendPayload(binary, payload)
	}
	payload, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("ws: encode: %w", err)
	}
	return c.SendPayload(false, payload)
}

// SendPayload is Send for a payload that is encoded: binary, or text. It copies payload.
func (c *Conn[In]) SendPayload(binary bool, payload []byte) error {
	return c.send(binary, payload, c.route.Handle != nil)
}

// Messages iterates over the messages of a Handle route until the connection ends. After an end
// that was not a normal one the last pair is a zero In and a *CloseError.
// The loop is the reading itself: while its body runs, nothing is read, and
// who leaves it reads no more, but may still send.
func (c *Conn[In]) Messages() iter.Seq2[In, error] {
	return func(yield func(In, error) bool) {
		var zero In
		if c.looped {
			yield(zero, ErrLeft)
			return
		}
		c.yield = yield
		err := c.read()
		c.yield = nil
		if err != nil && !c.left {
			yield(zero, err)
		}
	}
}

func (c *Conn[In]) serve() error {
	if c.route.Handle != nil {
		err := c.route.Handle(c)
		c.req = nil
		return err
	}
	if err := c.open(); err != nil {
		return err
	}
	c.uncork()
	_ = c.read() // Closed gets its error
	return nil
}

func (c *Conn[In]) open() (err error) {
	c.session, err = c.route.Open(c)
	c.req = nil
	return err
}

func (c *Conn[In]) limit() int { return c.route.MaxMessage }

func (c *Conn[In]) upgrader() *gws.Upgrader { return c.route.upgraders[""] }

func (c *Conn[In]) message(binary bool, data []byte) {
	msg, err := c.route.Decode(binary, data)
	switch {
	case err != nil:
		c.rt.stats.invalid.Add(1)
		c.reject(err)
	case c.session != nil:
		c.session.Receive(msg)
	case !c.yield(msg, nil):
		// yield must never be called again, whatever gws has buffered.
		c.left = true
	}
}

func (c *Conn[In]) reject(err error) {
	if r, ok := c.session.(Rejecter); ok {
		r.Reject(err)
		return
	}
	if c.route.Reject != nil {
		c.route.Reject(c, err)
		return
	}
	c.Close(refusal.CloseInvalidData, err.Error())
}

func (c *Conn[In]) closed(err error) {
	if c.session != nil {
		c.session.Closed(err)
	}
}
