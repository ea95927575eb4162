package ws

import (
	"bufio"
	"errors"
	"io"
	"net"
	"time"

	"edgechat/refusal"

	"github.com/lxzan/gws"
)

// readBuffer is gws's read buffer for each connection, in bytes. A chat message
// fits; a longer one is read past it.
const readBuffer = 512

func newReader(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, readBuffer) }

var errLeft = errors.New("ws: handler left its loop")

// read runs gws's ReadLoop until the connection ends. It returns nil after a normal end.
//
// gws v1.9.1 panics on a frame that declares a negative length
// (82 ff 80 00 00 00 00 00 00 00 and a mask): the panic of a frame ends its
// connection alone. A panic of a handler goes on to the handler's caller.
func (c *core) read() error {
	c.looped = true
	readLoop(c.socket, func() *core { return c })
	return c.endErr
}

// readLoop is gws's for socket, which is now that of core().
func readLoop(socket *gws.Conn, core func() *core) {
	defer func() {
		c := core()
		if c == nil || c.handling {
			return // let it pass: it is the handler's
		}
		if p := recover(); p != nil {
			c.violated(refusal.CloseProtocolError, "a frame declares an impossible length")
		}
	}()
	socket.ReadLoop()
}

// violated ends a connection whose peer sent what it must not.
func (c *core) violated(code uint16, reason string) {
	c.rt.stats.violated.Add(1)
	c.endErr = &CloseError{Code: code, Reason: reason}
	c.close(code, reason, false)
}

// events is gws's handler for all connections: the connection is found by the
// net.Conn that gws was given.
type events struct{ gws.BuiltinEventHandler }

func connOf(socket *gws.Conn) *core {
	if t, ok := socket.NetConn().(*talk); ok {
		return t.c
	}
	return (*core)(socket.NetConn().(*wire))
}

func (events) OnMessage(socket *gws.Conn, m *gws.Message) {
	c := connOf(socket)
	c.unread = 0
	if c.talk != nil {
		c.talk.message()
	}
	if c.left || c.deaf || c.isClosing() {
		_ = m.Close()
		return
	}
	c.handling = true // stays true if the handler panics, see read
	c.h.message(m.Opcode == gws.OpcodeBinary, m.Bytes())
	c.handling = false
	_ = m.Close() // gives the buffer back to its pool
}

// OnPing echoes the payload (RFC 6455 section 5.5.3), which gws's own does not.
func (events) OnPing(socket *gws.Conn, payload []byte) {
	c := connOf(socket)
	c.controlled(len(payload))
	c.control(opPong, payload)
}

func (events) OnPong(socket *gws.Conn, payload []byte) { connOf(socket).controlled(len(payload)) }

// controlled accounts for a ping or pong: it is part of no message.
func (c *core) controlled(payload int) {
	n := payload + 6 // header and mask
	c.unread -= int32(n)
	if c.talk != nil {
		c.talk.control(n)
	}
}

// wire is a core as gws sees it: the net.Conn below it. What gws reads is
// watched, what it writes goes through the outbox.
type wire core

func (w *wire) Read(p []byte) (n int, err error) {
	c := (*core)(w)
	switch {
	case c.left:
		return 0, errLeft
	case c.readErr != nil:
		return 0, c.readErr
	case c.talk != nil:
		if n, err = c.talk.read(p); err == errParked {
			return 0, err
		}
	default:
		if c.paused.Load() {
			c.awaitResume()
		}
		n, err = c.nc.Read(p)
		c.seen.Store(c.rt.tick.Load())
	}
	if err != nil {
		c.readFailed(err)
	}
	c.unread += int32(n)
	// A fragmented message may have any number of empty fragments; gws does
	// not count them.
	if int(c.unread) > 2*c.h.limit()+fragmentSlack {
		c.violated(refusal.ClosePolicyViolation, "too many fragments")
		c.readErr = net.ErrClosed
		return 0, c.readErr
	}
	return n, err
}

// readFailed notes that nothing more can be read, and what that means.
func (c *core) readFailed(err error) {
	c.readErr = err
	if c.endErr == nil && !c.isClosing() {
		c.endErr = &CloseError{Code: refusal.CloseAbnormal, Reason: err.Error()}
	}
}

// fragmentSlack is what a message may have in frame headers, in bytes, beside as
// many as it has bytes of content.
const fragmentSlack = 16 << 10

// Write takes the answer to the handshake, and then gws's close frames: gws
// writes nothing else here.
func (w *wire) Write(p []byte) (int, error) {
	c := (*core)(w)
	switch {
	case c.socket == nil && c.talk != nil:
		return len(p), nil // the answer to a revival
	case c.socket == nil:
		return len(p), c.queue(p)
	}
	if len(p) > 1 && p[0]&0xf == opClose {
		c.gwsCloses(p[FrameLen(p)-int(p[1]&0x7f):])
	}
	return len(p), nil
}

// Close is called by gws behind its close frame. The connection lives until
// the frame is written; run closes it.
func (w *wire) Close() error                     { return nil }
func (w *wire) LocalAddr() net.Addr              { return nil } // gws does not ask
func (w *wire) RemoteAddr() net.Addr             { return nil }
func (w *wire) SetDeadline(time.Time) error      { return nil } // the sweeper's task
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// OnClose sees how the peer ended it, where gws knows.
func (events) OnClose(socket *gws.Conn, err error) {
	c := connOf(socket)
	if c == nil || c.endErr != nil {
		return
	}
	if e, ok := errors.AsType[*gws.CloseError](err); ok && !normalEnd(e.Code) {
		c.endErr = &CloseError{Code: e.Code, Reason: string(e.Reason)}
	}
}
