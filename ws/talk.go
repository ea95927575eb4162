package ws

import (
	"bufio"
	"errors"
	"iter"
	"net"
	"net/http"
	"time"

	"github.com/lxzan/gws"
)

// A talk is what a connection of the event-loop driver has while it talks:
// gws's ReadLoop as a coroutine, which the loop resumes with input and which yields
// when that is used up. So the state of half-read frames and fragments stays
// where it belongs, in gws, and there is neither scheduler nor copy between.
//
// A connection that is silent has none. Its next bytes revive it: it gets one that
// another has no use for any more, or a new one, whose gws.Conn is made by a
// handshake that is fixed and whose answer nobody sees.
type talk struct {
	c      *core         // whose it is now; nil while it waits to be used again
	up     *gws.Upgrader // that it was made with, which bounds messages
	socket *gws.Conn
	next   func() (struct{}, bool)
	yield  func(struct{}) bool
	br     *bufio.Reader
	place  int // in loop.talking

	input   []byte // what this turn brought
	err     error  // what comes behind input
	parking bool   // Read is to end the ReadLoop
	ended   bool   // the ReadLoop has ended

	// Whether gws stands between two messages, so that nothing would be lost
	// with it. A Read that hands out bytes clears it and remembers what it was;
	// a whole message sets it; a ping or pong restores it if those bytes
	// were that frame and nothing else.
	boundary, was bool
	got           int // bytes of the last Read
}

var errParked = errors.New("ws: parked")

// reviveRequest is the handshake of a revived connection.
var reviveRequest = gwsRequest(&http.Request{Header: http.Header{"Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="}}}, "")

// revive gives c a coroutine that waits for its first input.
func (c *core) revive() {
	t := &talk{boundary: true}
	t.use(c)
	t.up = c.h.upgrader()
	t.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		t.br = newReader(t)
		socket, err := t.up.UpgradeFromConn(t, t.br, reviveRequest)
		if err != nil {
			t.c.readFailed(err) // it writes to us alone: it cannot fail
			return
		}
		t.socket, t.c.socket = socket, socket
		// Closed gets what read returns; what comes back here is a panic.
		if err := caught(t.core, func() error { readLoop(socket, t.core); return nil }); err != nil {
			t.c.closeFor(err)
		}
	})
}

// use gives c the coroutine, which stands between two messages.
func (t *talk) use(c *core) {
	t.c, c.talk, c.socket = c, t, t.socket
	c.unread = 0
	c.looped = true
	t.boundary, t.was, t.got, t.err = true, false, 0, nil
}

func (t *talk) core() *core { return t.c }

// Read makes a talk what gws reads from: whose it is may change while it has
// no input.
func (t *talk) Read(p []byte) (int, error) {
	for len(t.input) == 0 && t.err == nil && !t.parking && t.c.readErr == nil {
		t.yield(struct{}{})
	}
	if t.c == nil {
		return 0, errParked
	}
	return (*wire)(t.c).Read(p)
}

func (t *talk) Write(p []byte) (int, error) {
	if t.c == nil {
		return len(p), nil // gws says goodbye to nobody
	}
	return (*wire)(t.c).Write(p)
}

func (t *talk) Close() error                     { return nil }
func (t *talk) LocalAddr() net.Addr              { return nil }
func (t *talk) RemoteAddr() net.Addr             { return nil }
func (t *talk) SetDeadline(time.Time) error      { return nil }
func (t *talk) SetReadDeadline(time.Time) error  { return nil }
func (t *talk) SetWriteDeadline(time.Time) error { return nil }

// resume runs the coroutine until it has used up its input, or ends.
func (t *talk) resume() {
	_, more := t.next()
	t.ended = !more
}

// read hands out input, and yields to the loop while there is none.
func (t *talk) read(p []byte) (n int, err error) {
	if len(t.input) == 0 {
		return 0, t.err
	}
	n = copy(p, t.input)
	t.input = t.input[n:]
	t.was, t.boundary, t.got = t.boundary, false, n
	return n, nil
}

// message says that a whole message was read.
func (t *talk) message() { t.boundary = len(t.input) == 0 && t.br.Buffered() == 0 }

// control says that a ping or pong of n bytes was read.
func (t *talk) control(n int) {
	if t.got == n && t.br.Buffered() == 0 {
		t.boundary = t.was && len(t.input) == 0
	}
}
