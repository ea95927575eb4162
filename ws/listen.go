package ws

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// Listen returns what http.Server.Serve is to accept from instead of l, which its Close
// closes. Whoever accepts, each connection's send buffer is bounded by Config.SendBuffer, and what
// net/http answers must be taken as Config.WriteTimeout says. On Linux the event
// loops accept from a TCP listener themselves and keep the handshakes of WebSockets;
// everyone else comes out of the returned Accept.
func (rt *Router) Listen(l net.Listener) net.Listener {
	if d := rt.openDoor(l); d != nil {
		return d
	}
	return &plainListener{l, rt}
}

// A plainListener accepts as ever.
type plainListener struct {
	net.Listener
	rt *Router
}

func (l *plainListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	for err == nil && l.rt.reserve.crowdedConn(nc) && !(peerIsLocal(nc.RemoteAddr()) && descriptorOf(nc) < l.rt.reserve.last) {
		l.rt.turnedAway(nc.RemoteAddr())
		_ = nc.SetWriteDeadline(time.Now().Add(time.Millisecond)) // it fits the buffer of a new connection
		_, _ = nc.Write(tooFull().Bytes())
		_ = nc.Close()
		nc, err = l.Listener.Accept()
	}
	if err != nil {
		return nil, err
	}
	setSendBuffer(nc, l.rt.cfg.SendBuffer)
	return l.rt.plainConn(nc, nil), nil
}

// A plainConn is a connection of net/http. It may take any time to send a long answer to
// a peer that is slow, and none to one that takes nothing.
type plainConn struct {
	net.Conn
	head     []byte // was read already
	progress time.Duration
	taken    int           // of the piece, in bytes; that of who writes, as is
	spent    time.Duration // what that took

	mu    sync.Mutex
	limit time.Time // net/http's own deadline for writing
}

func (rt *Router) plainConn(nc net.Conn, head []byte) *plainConn {
	return &plainConn{Conn: nc, head: head, progress: rt.cfg.WriteTimeout}
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
