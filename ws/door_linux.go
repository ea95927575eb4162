package ws

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"

	"edgechat/limit"
	"edgechat/ws/internal/loop"
)

// A door is a TCP listener from which an event loop accepts. Who comes with the
// whole head of a WebSocket handshake is served without net/http, whose
// goroutine, buffers and deadlines are most of what a connection costs;
// everyone else comes out of Accept, which net/http calls.
type door struct {
	net.Listener // the original
	rt           *Router
	r            *reactor // whose loop accepts
	sealed       bool     // TLS is spoken: net/http gets everyone
	source       loop.Door
	fd           int32          // a duplicate of the original's; the loop closes it
	left         chan struct{}  // closed when the loop has left it
	claimed      sync.WaitGroup // newcomers that some loop is about to hand on or to take in

	mu     sync.Mutex
	handed []handed      // for Accept
	err    error         // what Accept returns, once there is something
	ready  chan struct{} // holds one token while there is something for Accept
}

// handed is a connection for net/http, with what was read from it.
type handed struct {
	fd     int32
	head   []byte
	source limit.Addr // has entered the census
}

// openDoor opens a door in l, or returns nil if the loops cannot accept from l.
func (rt *Router) openDoor(l net.Listener, sealed bool) *door {
	tcp, ok := l.(*net.TCPListener)
	if !ok || len(rt.reactors) == 0 || rt.cfg.driver == hijackLoop {
		return nil
	}
	fd, err := loop.Duplicate(tcp)
	if err != nil {
		rt.cfg.Logger.Warn("accepting without an event loop", "addr", l.Addr().String(), "err", err)
		return nil
	}
	setOptions := func(fd int32) {
		loop.SetSendBuffer(fd, rt.cfg.SendBuffer)
		loop.SetNoDelay(fd)
	}
	setOptions(fd)
	d := &door{
		Listener: l, rt: rt, r: rt.nextReactor(), sealed: sealed, fd: fd,
		left: make(chan struct{}), ready: make(chan struct{}, 1),
	}
	d.source.Early, d.source.Took, d.source.Short, d.source.Failed = setOptions, d.took, d.short, d.failed
	rt.lobby.open(d)
	if d.r.Watch(fd, &d.source) != nil { // it has ended
		rt.lobby.shut(d)
		loop.Close(fd)
		return nil
	}
	return d
}

// took gives who has come to a loop, which waits for his first bytes.
func (d *door) took(fd int32, peer netip.AddrPort) {
	if d.rt.reserve.crowded(fd) && !d.squeezeIn(fd, peer) {
		return
	}
	source := d.rt.cfg.Proxies.Peer(peer.Addr())
	if d.sealed && !d.rt.census.mayShake(source) {
		d.turnAway(fd, refusedTLS, d.rt.census.farewell())
		return
	}
	if answer := d.rt.census.enter(source); answer != nil {
		d.turnAway(fd, answer, d.rt.census.farewell())
		return
	}
	n := &newcomer{door: d, r: d.rt.nextReactor(), peer: peer, source: source}
	if d.rt.lobby.enter(n, d.rt.tick.Load(), func() error { return n.r.Watch(fd, n) }) != nil { // that loop has ended
		d.hand(handed{fd, nil, source})
	}
}

// turnAway answers somebody who gets no connection. If he has time to take that there is a farewell of his, which ends.
func (d *door) turnAway(fd int32, answer []byte, time bool) {
	rt := d.rt
	if d.sealed {
		answer = refusedTLS
	}
	if !time {
		_, _ = loop.Try(fd, answer) // it may be lost, if more comes than was read: there is nothing to wait with
		loop.Close(fd)
		return
	}
	f := &refused{r: d.r, over: rt.census.farewellOver}
	if rt.lobby.enter(f, rt.tick.Load(), func() error { return d.r.Watch(fd, f) }) != nil {
		loop.Close(fd) // that loop has ended
		f.over()
		return
	}
	f.answer(answer)
}

// squeezeIn sees to a connection that has a descriptor of the reserve. It reports whether that goes on
// as others do.
func (d *door) squeezeIn(fd int32, peer netip.AddrPort) bool {
	rt := d.rt
	if peer.Addr().IsLoopback() && fd < rt.reserve.last {
		return true
	}
	rt.turnedAway(net.TCPAddrFromAddrPort(peer))
	d.turnAway(fd, tooFull().Bytes(), fd < rt.reserve.scarce && rt.census.farewell())
	return false
}

// short says that there is no descriptor for one more connection.
func (d *door) short(err error) {
	d.rt.stats.acceptErrors.Add(1)
	if others, ok := d.rt.rare.short.now(); ok {
		d.rt.cfg.Logger.Warn("accept failed, trying again each second", "addr", d.Addr().String(), "others", others, "err", err)
	}
}

// failed has Accept return err, behind those who were handed over. Only the first
// counts.
func (d *door) failed(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = &net.OpError{Op: "accept", Net: "tcp", Addr: d.Addr(), Err: err}
		if err == net.ErrClosed {
			d.err = err
		}
		d.signalLocked()
	}
}

// Accept returns the next connection that is not for the event loops.
func (d *door) Accept() (net.Conn, error) {
	for {
		select {
		case <-d.ready:
		case <-d.left:
		}
		h, err := d.next()
		switch {
		case err != nil:
			return nil, err
		case h.fd < 0: // the loop has left: what people are to be told now, net/http tells them
			nc, err := d.Listener.Accept()
			if err == nil {
				d.rt.census.force()
				return d.rt.plainConn(nc, nil, limit.Exempt), nil
			}
			if !errors.Is(err, net.ErrClosed) {
				return nil, err
			}
			d.failed(net.ErrClosed)
			continue // somebody may have been handed over since
		}
		nc, err := h.conn()
		if err == nil {
			return d.rt.plainConn(nc, h.head, h.source), nil
		}
		d.rt.census.leave(h.source)
		if others, ok := d.rt.rare.accept.now(); ok {
			d.rt.cfg.Logger.Warn("accept failed", "addr", d.Addr().String(), "others", others, "err", err)
		}
	}
}

// next returns who was handed over, then the error.
func (d *door) next() (h handed, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.handed) == 0 {
		if d.err != nil {
			d.signalLocked() // for the next call
		}
		return handed{fd: -1}, d.err
	}
	h = d.handed[0]
	d.handed[0] = handed{}
	if d.handed = d.handed[1:]; len(d.handed) > 0 || d.err != nil {
		d.signalLocked()
	}
	return h, nil
}

func (d *door) signalLocked() {
	select {
	case d.ready <- struct{}{}:
	default:
	}
}

// hand gives a connection to Accept.
func (d *door) hand(h handed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		loop.Close(h.fd)
		d.rt.census.leave(h.source)
		return
	}
	d.handed = append(d.handed, h)
	d.signalLocked()
}

// leave is called on the loop, and accepts no more. Who was accepted and has said nothing
// yet comes out of Accept.
func (d *door) leave() {
	select {
	case <-d.left:
		return
	default:
	}
	d.r.Forget(&d.source)
	loop.Close(d.fd)
	d.rt.lobby.shut(d)
	close(d.left)
}

// Close closes the listener. Who was accepted comes out of Accept, before its error.
func (d *door) Close() error {
	d.r.Post(d.leave)
	<-d.left
	d.claimed.Wait() // none is claimed any more: the lobby has handed on who was left
	d.failed(net.ErrClosed)
	return d.Listener.Close()
}

// conn makes a net.Conn of a descriptor.
func (h handed) conn() (net.Conn, error) {
	f := os.NewFile(uintptr(h.fd), "tcp")
	nc, err := net.FileConn(f)
	_ = f.Close() // FileConn has duplicated it
	return nc, err
}
