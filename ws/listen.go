package ws

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"edgechat/limit"
)

// Listen returns what http.Server.Serve is to accept from instead of l, which its Close
// closes. Whoever accepts, each connection's send buffer is bounded by Config.SendBuffer, and what
// net/http answers must be taken as Config.WriteTimeout says. On Linux the event
// loops accept from a TCP listener themselves and keep the handshakes of WebSockets;
// everyone else comes out of the returned Accept.
func (rt *Router) Listen(l net.Listener) net.Listener {
	if d := rt.openDoor(l, false); d != nil {
		return d
	}
	return &plainListener{l, rt, false}
}

// A plainListener accepts as ever.
type plainListener struct {
	net.Listener
	rt     *Router
	sealed bool // TLS is spoken
}

func (l *plainListener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		source := l.rt.census.sourceOf(nc.RemoteAddr())
		if answer := l.enter(nc, source); answer != nil {
			if l.sealed {
				answer = refusedTLS
			}
			l.rt.turnAway(nc, answer)
			continue
		}
		setSendBuffer(nc, l.rt.cfg.SendBuffer)
		return l.rt.plainConn(nc, nil, source), nil
	}
}

// enter counts a connection, or returns what it is answered.
func (l *plainListener) enter(nc net.Conn, source limit.Addr) (answer []byte) {
	if l.rt.reserve.crowdedConn(nc) && !(peerIsLocal(nc.RemoteAddr()) && descriptorOf(nc) < l.rt.reserve.last) {
		l.rt.turnedAway(nc.RemoteAddr())
		return tooFull().Bytes()
	}
	if l.sealed && !l.rt.census.mayShake(source) {
		return refusedTLS
	}
	return l.rt.census.enter(source)
}

// turnAway answers somebody who gets no connection, and has some of them wait until he has taken that.
func (rt *Router) turnAway(nc net.Conn, answer []byte) {
	if raw := rawConn(nc); raw != nil {
		_, _ = tryWrite(raw, answer) // it fits the buffer of a new connection
	} else {
		_ = nc.SetDeadline(time.Now().Add(100 * time.Millisecond)) // of which it is to take nothing
		_, _ = nc.Write(answer)
	}
	half, ok := nc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil || rt.stopping.Load() || !rt.census.farewell() {
		_ = nc.Close()
		return
	}
	_ = nc.SetDeadline(time.Now().Add(rt.cfg.CloseTimeout))
	go func() { // ends with the deadline at the latest
		defer rt.census.farewellOver()
		defer nc.Close()
		_, _ = io.CopyN(io.Discard, nc, maxScrap)
	}()
}

// A plainConn is a connection of net/http. It may take any time to send a long answer to
// a peer that is slow, and none to one that takes nothing.
type plainConn struct {
	net.Conn
	head     []byte // was read already
	progress time.Duration
	taken    int           // of the piece, in bytes; that of who writes, as is
	spent    time.Duration // what that took
	rt       *Router
	source   limit.Addr  // has entered the census
	left     atomic.Bool // and left it

	mu    sync.Mutex
	limit time.Time // net/http's own deadline for writing
}

func (rt *Router) plainConn(nc net.Conn, head []byte, source limit.Addr) *plainConn {
	return &plainConn{Conn: nc, head: head, progress: rt.cfg.WriteTimeout, rt: rt, source: source}
}

// leave says that it is no connection of net/http's any more. It may be called again.
func (c *plainConn) leave() {
	if c.left.CompareAndSwap(false, true) {
		c.rt.census.leave(c.source)
	}
}

// NetConn returns what is below it.
func (c *plainConn) NetConn() net.Conn { return c.Conn }

func (c *plainConn) Close() error {
	c.leave()
	return c.Conn.Close()
}

func (c *plainConn) Read(p []byte) (n int, err error) {
	if len(c.head) > 0 {
		n = copy(p, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	return c.Conn.Read(p)
}

// plainPiece is what the peer must take within the timeout, in bytes. The time between writes is not his.
const plainPiece = 64 << 10

func (c *plainConn) Write(p []byte) (n int, err error) {
	for err == nil && (n < len(p) || n == 0) {
		began := time.Now()
		if err = c.extend(began.Add(c.progress - c.spent)); err != nil {
			break
		}
		var k int
		k, err = c.Conn.Write(p[n:min(len(p), n+plainPiece-c.taken)])
		if c.taken, c.spent = c.taken+k, c.spent+time.Since(began); c.taken >= plainPiece {
			c.taken, c.spent = 0, 0
		}
		if n += k; len(p) == 0 {
			break
		}
	}
	return n, err
}

// extend gives the piece its time.
func (c *plainConn) extend(by time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.limit.IsZero() && c.limit.Before(by) {
		by = c.limit
	}
	return c.Conn.SetWriteDeadline(by)
}

func (c *plainConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = t
	return c.Conn.SetWriteDeadline(t)
}

func (c *plainConn) SetDeadline(t time.Time) error {
	if err := c.Conn.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// CloseWrite is what net/http does to a connection that it has refused.
func (c *plainConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return syscall.EOPNOTSUPP
}
