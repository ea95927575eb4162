package ws

import (
	"io"
	"net"
	"syscall"

	"edgechat/limit"
	"edgechat/ws/internal/loop"
)

// onLoop is the driver of a connection on an event loop, which alone closes
// its descriptor. Serve and what it calls belong to the loop.
type onLoop struct {
	loop.Node
	r    *reactor
	c    *core
	talk *talk     // nil while it is parked
	tls  *underTLS // nil of one that is not encrypted

	readable bool // there may be more to read
	urgent   bool // a short read does not say that there is no more: TCP's urgent data is skipped
	ending   bool // nor does it here: the peer is done, which stands behind what it has sent
	over     bool // the handler knows that nothing more will come
	closed   bool // the descriptor is closed
	inTurn   bool // the handler runs
}

// Serve writes what was queued since, and reads this turn's share of what the peer has sent.
// What it gets back for that is one write.
func (d *onLoop) Serve(events loop.Events) (more bool) {
	if d.closed {
		return false
	}
	if events&loop.Writable != 0 {
		d.c.out.Writable()
	}
	d.note(events)
	if events&loop.Cut != 0 {
		d.c.unpause()
	}
	if !d.c.paused() {
		more = d.read()
	}
	if d.closed {
		return false
	}
	d.Settled()
	d.c.out.Flush()
	return more
}

// note remembers what events say of reading.
func (d *onLoop) note(events loop.Events) {
	d.readable = d.readable || events&^loop.Writable != 0
	d.urgent = d.urgent || events&loop.Urgent != 0
	d.ending = d.ending || events&(loop.PeerDone|loop.Cut) != 0
}

// read gives the connection what it was sent. It reports whether there is more.
func (d *onLoop) read() (more bool) {
	if d.talk != nil && d.talk.left() {
		d.feed(d.talk.more)
		return d.wants()
	}
	if !d.readable {
		return false
	}
	if d.over && d.c.sated() {
		if d.readable = false; d.ending { // its end cannot be read: it stands behind what nobody reads
			d.drop()
		}
		return false
	}
	share := d.r.input[:]
	if d.tls != nil && !d.tls.coarse {
		share = share[:fineInput]
	}
	n, errno := loop.Read(d.FD(), share)
	switch errno {
	case syscall.EAGAIN:
		d.readable, d.urgent = false, false
		return false
	case syscall.EINTR:
		return true
	}
	d.c.seen.Store(d.c.rt.tick.Load())
	var err error
	switch {
	case errno != 0:
		err = &net.OpError{Op: "read", Net: "tcp", Err: errno}
	case n == 0:
		err = io.EOF
	case n < len(share) && !d.urgent && !d.ending:
		d.readable = false
	}
	input := d.r.input[:n]
	if d.tls != nil && !d.over {
		if input, err = d.unseal(input, err); len(input) == 0 && err == nil {
			return d.wants()
		}
	}
	switch {
	case d.over && err != nil:
		d.drop()
	case d.over: // what comes behind the end is nobody's
		d.c.drop(n)
	case d.c.oneWay && err == nil:
		d.c.ignore(len(input))
	case d.talk == nil && err != nil && len(input) == 0: // nobody is there to hear it
		d.c.readFailed(err)
		d.end()
	default:
		d.give(input, err)
	}
	return d.wants()
}

// unseal opens what was read of a connection over TLS.
func (d *onLoop) unseal(input []byte, err error) ([]byte, error) {
	if d.r.opened == nil {
		d.r.opened = make([]byte, maxOpened)
	}
	d.tls.borrow(&d.r.records)
	input, hollow, err := d.tls.unseal(d.r.opened, input, err)
	d.tls.giveBack(&d.r.records)
	if hollow > 0 {
		d.c.flooded(hollow)
	}
	if d.tls.holds() { // an answer of TLS itself
		d.c.out.Push()
	}
	// A record that does not end is a message that does not.
	if len(input) == 0 && d.c.unread == 0 {
		switch {
		case !d.tls.records.within():
			d.c.begun.Store(0)
		case d.c.begun.Load() == 0:
			d.c.begun.Store(max(d.c.rt.tick.Load(), 1))
		}
	}
	return input, err
}

// wants reports whether it is to be served again without being asked.
func (d *onLoop) wants() bool {
	return !d.closed && !d.c.paused() && (d.readable || d.talk != nil && d.talk.left())
}

// give has the coroutine read input, and err behind it.
func (d *onLoop) give(input []byte, err error) {
	if d.talk == nil {
		d.r.revive(d)
	}
	d.feed(func() { d.talk.feed(input, err) })
}

// feed runs the coroutine.
func (d *onLoop) feed(run func()) {
	d.inTurn = true
	run()
	d.inTurn = false
	switch {
	case d.talk.ended:
		if t := d.r.release(d); t.failed != nil {
			d.c.closeFor(t.failed)
		}
		d.end()
	case d.talk.between():
		d.park()
	}
}

// park gives back the coroutine of a connection that is between two messages.
func (d *onLoop) park() {
	t := d.r.release(d)
	t.c = nil
	d.r.keep(t)
}

// end is called when nothing more will be read: the handler learns of it, and
// what is left is written.
func (d *onLoop) end() {
	d.over = true
	d.inTurn = true
	d.c.end()
	d.inTurn = false
	if d.c.gone {
		d.drop()
		return
	}
	d.c.out.HangUp()
}

// drop closes the descriptor. Only the loop does, so that a number never stands
// for another connection while it is in use here.
func (d *onLoop) drop() {
	if d.closed {
		return
	}
	d.closed = true
	d.r.Forget(d)
	d.c.out.Bury(func() { loop.Close(d.FD()) })
	d.c.rt.conns.remove(d.c)
}

// wake implements driver.
func (d *onLoop) wake() { d.Ready(d) }

func (d *onLoop) resume() { d.Ready(d) }

func (d *onLoop) later(f func() bool) bool {
	if !d.inTurn {
		return false
	}
	d.r.Later(f)
	return true
}

func (d *onLoop) peer() (addr net.Addr) {
	addr = &net.TCPAddr{}
	d.c.out.Alive(func() { addr = d.peerLocked() })
	return addr
}

func (d *onLoop) peerLocked() net.Addr { return net.TCPAddrFromAddrPort(loop.Peer(d.FD())) }
func (d *onLoop) from() limit.Addr     { return d.c.source }

// Try implements outbox.Transport.
func (d *onLoop) Try(p []byte) (n int, full bool, err error) {
	if d.tls != nil {
		n, full, err = d.tls.try(p, d.send)
		if !full && err == nil && d.tls.hangUp {
			loop.HangUp(d.FD())
		}
		return n, full, err
	}
	if len(p) == 0 {
		return 0, false, nil
	}
	n, err = d.send(p)
	return n, n < len(p), err
}

func (d *onLoop) send(p []byte) (int, error) {
	d.r.writes.Add(1)
	return loop.Try(d.FD(), p)
}

func (d *onLoop) Full() {} // the loop is told when there is room

func (d *onLoop) HangUp() {
	if d.tls == nil || d.tls.end(d.send) {
		loop.HangUp(d.FD())
	}
}

func (d *onLoop) Cut()   { loop.CutOff(d.FD()) } // the loop sees the end, and closes it
func (d *onLoop) Widen() { loop.SetSendBuffer(d.FD(), 2*d.c.rt.cfg.SendBuffer) }
