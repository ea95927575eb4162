package ws

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/lxzan/gws"

	"edgechat/refusal"
	"edgechat/ws/internal/frame"
)

const (
	// inputSize is what a turn reads from one connection at most, in bytes.
	inputSize = 16 << 10
	// readBuffer is gws's read buffer for each connection, in bytes. A chat message
	// fits; a longer one is read past it.
	readBuffer = 512
	// fragmentSlack is what a message may have in frame headers, in bytes, beside as
	// many as it has bytes of content.
	fragmentSlack = 16 << 10
	// maxScrap is how much is read and dropped, in bytes, of what comes after the close was asked for:
	// a close frame is among it, if the peer answers. What comes behind that stays with the kernel until
	// CloseTimeout: cut at once, the peer would get a reset in place of the close frame.
	maxScrap = 64 << 10
)

var errHalted = errors.New("ws: nothing more is read")

// wire is a connection as gws sees it: the net.Conn below it. What gws reads is
// watched; what it writes are close frames, which become ours.
type wire struct {
	c      *core // nil while nobody's
	br     *bufio.Reader
	next   func(p []byte) (int, error) // of the driver
	frames int                         // messages, pings and pongs since the driver set it to 0
}

// init makes w what gws reads from.
func (w *wire) init(c *core, next func(p []byte) (int, error)) {
	w.c, w.next = c, next
	w.br = bufio.NewReaderSize(w, readBuffer)
}

func (w *wire) Read(p []byte) (int, error) {
	if w.c != nil && w.c.halted {
		return 0, errHalted
	}
	n, err := w.next(p)
	if w.c == nil {
		return 0, err
	}
	return w.c.took(n, err)
}

// took accounts for n bytes that gws is about to get, or for what comes in their place.
func (c *core) took(n int, err error) (int, error) {
	if err != nil {
		c.readFailed(err)
		return n, err
	}
	if c.unread == 0 {
		c.begun.Store(max(c.rt.tick.Load(), 1))
	}
	c.unread += int32(n)
	// A fragmented message may have any number of empty fragments; gws does
	// not count them.
	if int(c.unread) > 2*c.h.limit()+fragmentSlack {
		c.violated(refusal.ClosePolicyViolation, "too many fragments")
		c.halted = true
		return 0, errHalted
	}
	if c.drop(n); c.sated() {
		c.halted = true
		return 0, errHalted
	}
	return n, nil
}

// drop accounts for n bytes that come after the close was asked for, if it was.
func (c *core) drop(n int) {
	if c.out.Over() {
		c.scrap = min(c.scrap+int32(n), maxScrap+1)
	}
}

// sated reports whether enough was read and dropped: nothing more is.
func (c *core) sated() bool { return c.scrap > maxScrap }

// readFailed notes that nothing more can be read, and what that means.
func (c *core) readFailed(err error) {
	if c.endErr == nil && !c.out.Over() {
		c.endErr = &CloseError{Code: refusal.CloseAbnormal, Reason: err.Error()}
	}
	c.gone, c.halted = true, true
}

// Write gets gws's close frames: it writes nothing else here once it has
// answered the handshake, which was done before.
func (w *wire) Write(p []byte) (int, error) {
	if w.c != nil && w.c.socket != nil && len(p) > 1 && p[0]&0xf == frame.Close {
		w.c.gwsCloses(p[frame.Len(p)-int(p[1]&0x7f):])
	}
	return len(p), nil
}

// gwsCloses is called with the payload of the close frame that gws wants to
// send: its echo of the peer's, or its verdict on a frame.
func (c *core) gwsCloses(payload []byte) {
	if c.halted {
		return // gws has a 1000 for a failed read, with its text, whatever failed
	}
	code, reason := frame.CloseCode(payload)
	if reason == "" { // gws adds a text to its verdicts, and none to its echoes
		if code != refusal.CloseNormal { // gws has that for most codes, and tells OnClose which it was
			c.out.Close(code, "", false)
		}
		return
	}
	switch code {
	case refusal.CloseProtocolError:
		reason = "not a valid WebSocket frame (RFC 6455 section 5)"
	case refusal.CloseInvalidData:
		reason = "text is not valid UTF-8"
	case refusal.CloseTooBig:
		reason = fmt.Sprintf("message is longer than %d bytes", c.h.limit())
	}
	c.violated(code, reason)
}

// violated ends a connection whose peer sent what it must not.
func (c *core) violated(code uint16, reason string) {
	c.rt.stats.violated.Add(1)
	c.endErr = &CloseError{Code: code, Reason: reason}
	c.Close(code, reason)
}

// Close is called by gws behind its close frame. The connection lives until
// the frame is written; its driver closes it.
func (w *wire) Close() error                     { return nil }
func (w *wire) LocalAddr() net.Addr              { return nil } // gws does not ask
func (w *wire) RemoteAddr() net.Addr             { return nil }
func (w *wire) SetDeadline(time.Time) error      { return nil } // the sweeper's task
func (w *wire) SetReadDeadline(time.Time) error  { return nil }
func (w *wire) SetWriteDeadline(time.Time) error { return nil }

// events is gws's handler for all connections.
type events struct{ gws.BuiltinEventHandler }

func wireOf(socket *gws.Conn) *wire { return socket.NetConn().(*wire) }

func (events) OnMessage(socket *gws.Conn, m *gws.Message) {
	w := wireOf(socket)
	w.frames++
	c := w.c
	rest := int32(w.br.Buffered())
	overhead := int(c.unread-rest) - m.Data.Len()
	w.whole(rest)
	if c.flooded(max(1, overhead/frame.ClientHeader)); c.left || c.deaf || c.out.Over() {
		_ = m.Close()
		return
	}
	c.handling = true // stays true if the handler panics, see readLoop
	c.h.message(m.Opcode == gws.OpcodeBinary, m.Bytes())
	c.handling = false
	_ = m.Close() // gives the buffer back to its pool
}

// OnPing echoes the payload (RFC 6455 section 5.5.3), which gws's own does not.
func (events) OnPing(socket *gws.Conn, payload []byte) {
	w := wireOf(socket)
	w.control(payload)
	_ = w.c.out.Queue(frame.Pong, payload, false) // a connection that is closing needs none
	w.c.driver().wake()
}

func (events) OnPong(socket *gws.Conn, payload []byte) { wireOf(socket).control(payload) }

// control accounts for a ping or pong: it is part of no message.
func (w *wire) control(payload []byte) {
	w.frames++
	w.c.flooded(1)
	rest := w.c.unread - int32(frame.ClientHeader+len(payload))
	if rest == 0 {
		w.whole(0)
	}
	w.c.unread = rest
}

// flooded accounts for so many frames, and closes a connection on which there are too many. Of a message in
// fragments, of which gws does not tell how many they were, the shortest have a header of ClientHeader bytes.
func (c *core) flooded(frames int) {
	rate := c.rt.cfg.Limits.Frames
	if rate.IsZero() || c.out.Over() || frames <= rate.Most() && c.frames.Take(rate, frames, c.rt.clock.Now()) == 0 {
		return
	}
	c.rt.census.counts.frames.Add(1)
	reason := "rate_limited: more frames than " + rate.String()
	c.endErr = &CloseError{Code: refusal.ClosePolicyViolation, Reason: reason}
	c.Close(refusal.ClosePolicyViolation, reason)
}

// whole says that gws has rest bytes that are of no whole message.
func (w *wire) whole(rest int32) {
	w.c.unread = rest
	if rest == 0 {
		w.c.begun.Store(0)
	} else {
		w.c.begun.Store(max(w.c.rt.tick.Load(), 1))
	}
}

// OnClose sees how the peer ended it, where gws knows.
func (events) OnClose(socket *gws.Conn, err error) {
	c := wireOf(socket).c
	e, ok := errors.AsType[*gws.CloseError](err)
	if c == nil || !ok {
		return
	}
	c.out.Close(e.Code, "", false) // the echo (RFC 6455 section 5.5.1), unless it was refused, or closed from here
	if c.endErr == nil && !normalEnd(e.Code) {
		c.endErr = &CloseError{Code: e.Code, Reason: string(e.Reason)}
	}
}

// normalEnd reports whether a peer's close code is a normal end; 0 is a close
// frame without a code.
func normalEnd(code uint16) bool {
	return code == 0 || code == refusal.CloseNormal || code == refusal.CloseGoingAway
}

// read runs gws's ReadLoop until the connection ends. It returns nil after a normal end.
func (c *core) read() error {
	c.looped = true
	readLoop(c.socket)
	if c.endErr != nil {
		return c.endErr
	}
	return nil
}

// readLoop is gws's. v1.9.1 panics on a frame that declares a negative length
// (82 ff 80 00 00 00 00 00 00 00 and a mask): the panic of a frame ends its
// connection alone. A panic of a handler goes on to the handler's caller.
func readLoop(socket *gws.Conn) {
	defer func() {
		c := wireOf(socket).c
		if c == nil || c.handling {
			return // let it pass: it is the handler's
		}
		if p := recover(); p != nil {
			c.violated(refusal.CloseProtocolError, "a frame declares an impossible length")
		}
	}()
	socket.ReadLoop()
}
