package ws

import (
	"bytes"
	"net"
	"os"
	"sync"
	"syscall"
)

// A door is a TCP listener from which an event loop accepts. Who comes with the
// whole head of a WebSocket handshake is served without net/http, whose
// goroutine, buffers and deadlines are most of what a connection costs;
// everyone else comes out of Accept, which net/http calls.
type door struct {
	net.Listener // the original
	rt           *Router
	loop         *loop         // which accepts
	fd           int           // a duplicate of the original's; the loop closes it
	left         chan struct{} // closed when the loop has left it

	mu     sync.Mutex
	handed []guest       // for Accept
	err    error         // what Accept returns, once there is something
	ready  chan struct{} // holds one token while there is something for Accept
	paused bool          // the loop does not accept, for want of descriptors
}

// A guest is a connection for net/http, with what was read from it.
type guest struct {
	fd   int32
	head []byte
}

// Listen returns what http.Server.Serve is to accept from instead of l. On
// Linux the event loops accept from a TCP listener themselves and keep the
// handshakes of WebSockets; everyone else comes out of the returned Accept.
// Close closes l. Any other l is returned as it is.
func (rt *Router) Listen(l net.Listener) net.Listener {
	tcp, ok := l.(*net.TCPListener)
	if !ok || len(rt.loops) == 0 || rt.cfg.driver == hijackLoop {
		return l
	}
	fd, err := duplicate(tcp)
	if err != nil {
		rt.cfg.Logger.Warn("accepting without an event loop", "addr", l.Addr().String(), "err", err)
		return l
	}
	d := &door{
		Listener: l, rt: rt, loop: rt.nextLoop(), fd: fd,
		left: make(chan struct{}), ready: make(chan struct{}, 1),
	}
	d.loop.post(func() { d.loop.enter(d) })
	return d
}

// Accept returns the next connection that is not for the event loops.
func (d *door) Accept() (net.Conn, error) {
	for {
		select {
		case <-d.ready:
		case <-d.left:
		}
		g, err := d.next()
		switch {
		case err != nil:
			return nil, err
		case g.fd < 0: // the loop has left: what people are to be told now, net/http tells them
			return d.Listener.Accept()
		}
		nc, err := g.conn()
		if err == nil {
			return nc, nil
		}
		d.rt.cfg.Logger.Warn("accept failed", "addr", d.Addr().String(), "err", err)
	}
}

// next returns who was handed over, then the error.
func (d *door) next() (g guest, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.handed) == 0 {
		if d.err != nil {
			d.signalLocked() // for the next call
		}
		return guest{fd: -1}, d.err
	}
	g = d.handed[0]
	if d.handed = d.handed[1:]; len(d.handed) > 0 || d.err != nil {
		d.signalLocked()
	}
	return g, nil
}

func (d *door) signalLocked() {
	select {
	case d.ready <- struct{}{}:
	default:
	}
}

// hand gives a connection to Accept.
func (d *door) hand(fd int32, head []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		_ = syscall.Close(int(fd))
		return
	}
	d.handed = append(d.handed, guest{fd, head})
	d.signalLocked()
}

// fail has Accept return err, behind those who were handed over. Only the first
// counts.
func (d *door) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
		d.signalLocked()
	}
}

// Close closes the listener. Who was accepted and has said nothing yet comes
// out of Accept, before its error.
func (d *door) Close() error {
	d.loop.post(func() { d.loop.leave(d) })
	<-d.left
	d.fail(net.ErrClosed)
	return d.Listener.Close()
}

// pause says that there is no descriptor for one more connection.
func (d *door) pause(err error) {
	d.mu.Lock()
	d.paused = true
	d.mu.Unlock()
	d.rt.stats.acceptErrors.Add(1)
	d.rt.cfg.Logger.Warn("accept failed, trying again in a second", "addr", d.Addr().String(), "err", err)
}

// retry has a door that was paused accept again. The sweeper calls it.
func (d *door) retry() {
	d.mu.Lock()
	paused := d.paused
	d.paused = false
	d.mu.Unlock()
	if paused {
		d.loop.post(func() { d.loop.watchDoor(d) })
	}
}

// conn makes a net.Conn of a guest.
func (g guest) conn() (net.Conn, error) {
	f := os.NewFile(uintptr(g.fd), "tcp")
	nc, err := net.FileConn(f)
	_ = f.Close() // FileConn has duplicated it
	if err != nil || len(g.head) == 0 {
		return nc, err
	}
	return &begun{nc.(*net.TCPConn), bytes.NewReader(g.head)}, nil
}

// begun is a connection of which something was read already.
type begun struct {
	*net.TCPConn
	head *bytes.Reader
}

func (b *begun) Read(p []byte) (int, error) {
	if b.head.Len() > 0 {
		return b.head.Read(p)
	}
	return b.TCPConn.Read(p)
}
