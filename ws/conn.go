package ws

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"net"

	"github.com/lxzan/gws"

	"edgechat/refusal"
	"edgechat/ws/internal/frame"
	"edgechat/ws/internal/outbox"
)

// A Conn is one WebSocket connection of a route.
type Conn[In any] struct {
	core
	route   *endpoint[In]
	session Session[In]          // React
	yield   func(In, error) bool // Handle, while its loop over Messages runs
}

// A handler is a Conn[In] as its core sees it.
type handler interface {
	serve() error                     // runs Handle, or Open and the reading
	message(binary bool, data []byte) // data is valid until it returns
	limit() int                       // bytes of a message
	closed(err error)
	open() error             // runs Open
	answer() []byte          // of the request, before all frames
	box() *outbox.Config     // of its kind of connection
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
func (c *core) RemoteAddr() net.Addr { return c.driver().peer() }

// MessageSize returns the length of the message that is being handled, or was refused, in bytes. The Session or Reject
// of its route asks for it.
func (c *core) MessageSize() int { return int(c.size) }

// Later has f called at the end of the event loop's turn in which a message of
// this connection is handled, or Open or Closed runs, and once in each later turn for as long
// as it returns true: what is large is so done in slices, between which others get their share.
// It reports whether there is such a turn; without one f is not called. It is called by these
// alone. What a turn publishes can so go out in one write.
func (c *core) Later(f func() (more bool)) bool { return c.driver().later(f) }

// Pause stops the reading of this connection: what its peer sends stays in the kernel, and
// soon with the peer. It is still written to, and ends if it is cut. Pauses are counted: each
// is ended by a Resume of its own. It may be called from any goroutine.
func (c *core) Pause() { c.pauses.Add(1) }

// Resume ends one Pause, which may be called a moment later; behind the last of them reading
// goes on. It may be called from any goroutine.
func (c *core) Resume() {
	if c.pauses.Add(-1) == 0 {
		c.driver().resume()
	}
}

// paused reports whether nothing is to be read.
func (c *core) paused() bool { return c.pauses.Load() > 0 }

// unpause ends all pauses, those to come too: the connection is over, and that must show.
func (c *core) unpause() { c.pauses.Store(math.MinInt32 / 2) }

// Attach has the connection write what s has pending too, behind everything that
// was sent before. Its streams are taken in turns.
func (c *core) Attach(s Stream) { c.out.Attach(s) }

// Detach ends that: from its return on no method of s is called and no byte of what
// Pending returned is read any more.
func (c *core) Detach(s Stream) { c.out.Detach(s) }

// Flush writes what is pending as far as the kernel takes it without waiting,
// and has the rest written as the peer takes it. It reports whether nothing is left.
func (c *core) Flush() (done bool) { return c.out.Flush() }

// Unsent returns how many bytes of what was sent to this connection alone wait for its peer, of Config.MaxPending.
func (c *core) Unsent() int { return c.out.Unsent() }

// Close sends a close frame behind what is queued for this connection and then
// cuts it as soon as the peer has answered, or after Config.CloseTimeout. What is
// pending in its streams is dropped. A reason longer than 123 bytes is cut. Only the first Close counts.
func (c *core) Close(code uint16, reason string) { c.out.Close(code, reason, false) }

// Send encodes v as the route's Encode says and queues it for the peer. What a React route sends
// while it handles a message leaves in one write.
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
	err := c.out.Queue(frame.DataOpcode(binary), payload, c.route.Handle != nil)
	c.driver().wake()
	return err
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
	c.out.Uncork()
	_ = c.read() // Closed gets its error
	return nil
}

func (c *Conn[In]) open() (err error) {
	c.session, err = c.route.Open(c)
	c.req = nil
	return err
}

func (c *Conn[In]) limit() int { return c.route.MaxMessage }

func (c *Conn[In]) answer() []byte {
	return frame.AppendSwitching(nil, c.req.Header.Get("Sec-WebSocket-Key"), c.req.subprotocol)
}

func (c *Conn[In]) box() *outbox.Config { return &c.rt.outbox }

func (c *Conn[In]) upgrader() *gws.Upgrader { return c.route.up }

func (c *Conn[In]) message(binary bool, data []byte) {
	c.size = int32(len(data))
	msg, err := c.route.Decode(binary, data)
	switch {
	case err != nil:
		c.rt.stats.invalid.Add(1)
		c.reject(err)
	case c.session != nil:
		c.session.Receive(msg)
	case !c.yield(msg, nil):
		// yield must never be called again, whatever gws has buffered.
		c.left, c.halted = true, true
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
