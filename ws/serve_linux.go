package ws

import (
	"io"
	"net"
	"slices"
	"syscall"
)

// add takes a connection over. It begins parked; what came with its handshake is its first
// input.
func (l *loop) add(c *core, head []byte) {
	for len(l.conns) <= int(c.fd) {
		l.conns = append(l.conns, nil)
	}
	l.conns[c.fd] = c
	// Who came through a door is watched already.
	err := l.watch(c.fd, syscall.EPOLL_CTL_MOD, edgeTriggered, asConn)
	if err == syscall.ENOENT {
		err = l.watch(c.fd, syscall.EPOLL_CTL_ADD, edgeTriggered, asConn)
	}
	if err != nil {
		l.rt.cfg.Logger.Error("epoll_ctl failed", "err", err)
		l.end(c, err)
		return
	}
	if len(head) > 0 {
		l.feed(c, head, nil)
	}
}

func (l *loop) serve(c *core, events uint32) {
	if events&syscall.EPOLLOUT != 0 {
		c.writable()
	}
	if events&^uint32(syscall.EPOLLOUT) != 0 {
		l.read(c)
	}
	if events&(syscall.EPOLLHUP|syscall.EPOLLERR) != 0 && !c.gone && c.paused.Load() {
		c.paused.Store(false) // it is cut: that must show
	}
	if events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 && !c.gone {
		l.again = append(l.again, c) // the end stands behind what was read, and is not reported twice
	}
}

// read gives a connection what it was sent.
func (l *loop) read(c *core) {
	if c.paused.Load() && !c.over {
		c.unheard = true
		return
	}
	n, errno := rawIO(syscall.SYS_READ, c.fd, l.input[:])
	switch {
	case errno == syscall.EAGAIN:
		return
	case errno == syscall.EINTR || n == inputSize:
		l.again = append(l.again, c)
	}
	if errno == syscall.EINTR {
		return
	}
	c.seen.Store(l.rt.tick.Load())
	var err error
	switch {
	case errno != 0:
		err = &net.OpError{Op: "read", Net: "tcp", Err: errno}
	case n == 0:
		err = io.EOF
	}
	switch {
	case c.over && err != nil:
		l.drop(c)
	case c.over: // what comes behind the end is nobody's
	default:
		l.feed(c, l.input[:max(n, 0)], err)
	}
}

// hear reads what was not read while c was paused.
func (l *loop) hear(c *core) {
	if c.unheard && !c.gone {
		c.unheard = false
		l.read(c)
	}
}

// feed runs the connection's coroutine until it has used up its input.
func (l *loop) feed(c *core, input []byte, err error) {
	if c.talk == nil {
		if err != nil { // nobody is there to hear it
			l.end(c, err)
			return
		}
		l.revive(c)
		c.talk.place = len(l.talking)
		l.talking = append(l.talking, c)
	}
	t := c.talk
	t.input, t.err = input, err
	t.resume()
	t.input = nil
	switch {
	case t.ended:
		l.silence(c)
		l.end(c, nil)
	case l.rt.cfg.driver == eagerLoop:
		l.park(c)
	}
}

// silence takes c off the list of those with a coroutine.
func (l *loop) silence(c *core) {
	last := len(l.talking) - 1
	moved := l.talking[last]
	l.talking[c.talk.place] = moved
	moved.talk.place = c.talk.place
	l.talking[last] = nil
	l.talking = l.talking[:last]
	c.talk, c.socket = nil, nil
}

// park takes the coroutine of a connection that is between two messages, for
// who talks next.
func (l *loop) park(c *core) {
	t := c.talk
	if !t.boundary {
		return
	}
	l.silence(c)
	t.c = nil
	if len(l.spare) < spareTalks {
		l.spare = append(l.spare, t)
		return
	}
	l.retire(t)
}

// spareTalks is how many coroutines a loop keeps for who talks next, some 6 KB each.
const spareTalks = 8

// revive gives c a coroutine: a spare one, if there is one with its limits.
func (l *loop) revive(c *core) {
	for i, t := range l.spare {
		if t.up == c.h.upgrader() {
			l.spare = slices.Delete(l.spare, i, i+1)
			t.use(c)
			return
		}
	}
	c.revive()
}

// retire ends a coroutine that is nobody's.
func (l *loop) retire(t *talk) {
	t.parking = true
	t.resume()
	if !t.ended {
		panic("ws: a coroutine did not park")
	}
}

// parkSilent parks those that have said nothing for a while.
func (l *loop) parkSilent(now uint32) {
	after := uint32(l.rt.cfg.parkAfter/l.rt.tickLength()) + 1
	for i := len(l.talking) - 1; i >= 0; i-- { // who is parked makes room for the last
		if c := l.talking[i]; now-c.seen.Load() >= after {
			l.park(c)
		}
	}
}

// end is called when nothing more will be read: the handler learns of it, and
// what is left is written.
func (l *loop) end(c *core, err error) {
	if c.over {
		return
	}
	c.over = true
	if err != nil {
		c.readFailed(err)
	}
	c.end()
	if c.readErr != nil {
		c.mu.Lock()
		c.streams = nil
		c.flushLocked() // what a peer that hung up early will still take
		c.mu.Unlock()
		l.drop(c)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hangUp = true
	if c.flushLocked() && c.ended { // the close frame went before
		hangUpDescriptor(c.fd)
	}
}

// drop closes the descriptor. Only the loop does, so that a number never stands
// for another connection while it is in use here.
func (l *loop) drop(c *core) {
	if c.gone {
		return
	}
	c.gone = true
	l.conns[c.fd] = nil
	c.mu.Lock()
	c.dead = true
	c.out, c.streams = nil, nil
	_ = syscall.Close(int(c.fd))
	c.wakeLocked()
	c.mu.Unlock()
	l.rt.conns.remove(c)
}
