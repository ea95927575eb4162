package ws

import (
	"errors"
	"iter"

	"github.com/lxzan/gws"
)

// A talk is what a connection of an event loop has while one of its messages is read: gws's ReadLoop
// as a coroutine, which the loop resumes with input and which yields
// when that is used up, or its share of the turn is. So the state of half-read frames and fragments
// stays where it belongs, in gws, and there is neither scheduler nor copy between.
//
// A connection that is between two messages has none: it is parked. Its next bytes revive it: it gets the
// one that was used last, which is still in the processor's cache, or a new one, whose gws.Conn is made
// by a handshake that is fixed and whose answer nobody sees. So there are as many as messages that have
// come in part, and not as connections.
type talk struct {
	wire
	up      *gws.Upgrader // that it was made with, which bounds messages
	socket  *gws.Conn
	resume  func() (struct{}, bool)
	yield   func(struct{}) bool
	failed  error // what its ReadLoop ended with, if that was a panic of the handler
	retired bool  // its ReadLoop is to end
	ended   bool  // its ReadLoop has ended

	input  []byte // that was not handed out yet
	err    error  // what comes behind input
	kept   []byte // where input is from one turn to the next
	filled int    // frames when gws's buffer was filled last
}

var errRetired = errors.New("ws: the coroutine is not needed any more")

// newTalk returns a coroutine that is nobody's.
func newTalk(up *gws.Upgrader) *talk {
	t := &talk{up: up}
	t.init(nil, t.nextBytes)
	t.resume, _ = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		socket, err := up.UpgradeFromConn(&t.wire, t.br, fixedRequest)
		if err != nil { // it writes to us alone: it cannot fail
			panic("ws: upgrade: " + err.Error())
		}
		t.socket = socket
		yield(struct{}{})
		t.run()
	})
	t.resume()
	return t
}

// run is the ReadLoop. What comes back as an error is a panic of the handler.
func (t *talk) run() {
	defer func() {
		if p := recover(); p != nil {
			t.failed = t.c.panicked(p)
		}
	}()
	readLoop(t.socket)
}

// use gives d the coroutine, which stands between two messages.
func (t *talk) use(d *onLoop) {
	t.c, d.talk, d.c.socket = d.c, t, t.socket
	d.c.looped = true
	t.err = nil
}

// fillCost is as how many frames a filled buffer counts with which no message and no
// control frame ended: it may be full of fragments.
const fillCost = 16

// nextBytes hands out input. It yields to the loop while there is none, or this turn's share is used up.
func (t *talk) nextBytes(p []byte) (int, error) {
	for !t.retired && !t.halted() && (t.frames >= frameBudget || t.c == nil || t.c.paused() || len(t.input) == 0 && t.err == nil) {
		t.yield(struct{}{})
	}
	switch {
	case t.retired:
		return 0, errRetired
	case t.halted():
		return 0, errHalted
	case len(t.input) == 0:
		return 0, t.err
	}
	if len(p) <= readBuffer {
		if t.frames == t.filled {
			t.frames += fillCost
		}
		t.filled = t.frames
	}
	n := copy(p, t.input)
	t.input = t.input[n:]
	return n, nil
}

func (t *talk) halted() bool { return t.c != nil && t.c.halted }

// feed runs the coroutine with input, and err behind it, until that is used up, or this
// turn's share of it. What is left is kept.
func (t *talk) feed(input []byte, err error) {
	t.frames, t.filled = 0, -1
	t.input, t.err = input, err
	t.step()
	if len(t.input) > 0 && len(input) > 0 && !t.ended {
		t.kept = append(t.kept[:0], t.input...)
		t.input = t.kept
	}
}

// more goes on with what was kept.
func (t *talk) more() {
	t.frames, t.filled = 0, -1
	t.step()
	if len(t.input) == 0 {
		t.kept = nil
	}
}

func (t *talk) step() {
	_, more := t.resume()
	t.ended = !more
}

// left reports whether there is something to go on with.
func (t *talk) left() bool { return !t.ended && (len(t.input) > 0 || t.err != nil) }

// between reports whether gws stands between two messages, so that nothing
// would be lost with it.
func (t *talk) between() bool { return t.c.unread == 0 && !t.left() }

// retire ends a coroutine that is nobody's.
func (t *talk) retire() {
	t.retired = true
	if t.step(); !t.ended {
		panic("ws: a coroutine did not end")
	}
}
