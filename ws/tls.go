package ws

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"edgechat/refusal"
)

// ListenTLS is Listen for those who speak TLS as cfg says. Who has shaken hands is a *tls.Conn to net/http, and until then counts
// and waits as those do who have asked for nothing yet. A WebSocket of a React route goes to an event loop as others do.
func (rt *Router) ListenTLS(l net.Listener, cfg *tls.Config) net.Listener {
	cfg = cfg.Clone()
	// One record for a write: small ones at the beginning (crypto/tls has them for pages that are shown as they come) cost a
	// tag and a nonce each.
	cfg.DynamicRecordSizingDisabled = true
	if d := rt.openDoor(l, true); d != nil {
		return &tlsListener{d, rt, cfg}
	}
	return &tlsListener{&plainListener{l, rt, true}, rt, cfg}
}

type tlsListener struct {
	net.Listener // a door, or a plainListener
	rt           *Router
	cfg          *tls.Config
}

func (l *tlsListener) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	u := &underTLS{nc: nc, rt: l.rt}
	u.tls = tls.Server(u, l.cfg)
	return u.tls, nil
}

// refusedTLS is what somebody gets who may not even shake hands: a fatal alert, internal_error (RFC 8446 section 6).
var refusedTLS = []byte{21, 3, 3, 0, 2, 2, 80}

// underTLS is what crypto/tls reads from and writes to. That is a connection until an event loop takes it; from then on it is memory: what
// the loop has read, and what it is to write. So nothing of crypto/tls waits on a loop: a read that finds
// nothing is a temporary error, which crypto/tls forgets, and no write fails.
type underTLS struct {
	nc    net.Conn // nil on a loop
	head  []byte   // comes before what nc has
	heard bool     // something was read
	rt    *Router
	tls   *tls.Conn
	done  atomic.Bool // the handshake was counted
	turn  atomic.Bool // it has a turn

	in      []byte // on a loop: what it has read
	inErr   error  // what comes behind that
	coarse  bool   // its records are not short, on average
	records records

	mu     sync.Mutex
	out    []byte // sealed, and not written yet
	hangUp bool   // behind that
}

// underneath returns what carries the bytes of nc.
func underneath(nc net.Conn) net.Conn {
	for {
		outer, ok := nc.(interface{ NetConn() net.Conn })
		if !ok || outer.NetConn() == nil {
			return nc
		}
		nc = outer.NetConn()
	}
}

// TrackTLS counts the handshake of a connection of net/http's, which is a *tls.Conn and has shown by a request that it is over.
func (rt *Router) TrackTLS(nc net.Conn) {
	if u := underOf(nc); u != nil {
		u.count(true)
	}
}

func underOf(nc net.Conn) *underTLS {
	if t, ok := nc.(*tls.Conn); ok {
		u, _ := t.NetConn().(*underTLS)
		return u
	}
	return nil
}

func (u *underTLS) count(ok bool) {
	switch {
	case !u.done.CompareAndSwap(false, true):
	case ok:
		u.rt.stats.handshakes.Add(1)
	default:
		u.rt.stats.handshakesFailed.Add(1)
	}
	u.endTurn()
}

// hijacked is called once nc is net/http's no more.
func (u *underTLS) hijacked() {
	u.count(true)
	if p, ok := u.nc.(*plainConn); ok {
		p.leave()
		u.nc, u.head = p.Conn, p.head
	}
}

// NetConn returns nil on a loop.
func (u *underTLS) NetConn() net.Conn { return u.nc }

var errPlainHTTP = errors.New("ws: plain HTTP where TLS is spoken")

func (u *underTLS) Read(p []byte) (n int, err error) {
	switch {
	case u.nc == nil:
		return u.take(p)
	case len(u.head) > 0:
		n = copy(p, u.head)
		u.head = u.head[n:]
	default:
		u.endTurn()
		n, err = u.nc.Read(p)
	}
	if n > 0 && !u.heard {
		u.heard = true
		if 'A' <= p[0] && p[0] <= 'Z' { // a record begins with 20 to 24
			u.speakPlainly()
			return 0, errPlainHTTP
		}
	}
	u.records.pass(p[:n])
	if n > 0 && !u.done.Load() {
		u.takeTurn()
	}
	return n, err
}

// speakPlainly answers a request that is not encrypted, and waits for a moment until that was taken.
func (u *underTLS) speakPlainly() {
	_, _ = u.nc.Write(refusal.New(refusal.BadHandshake, "this port speaks TLS: write https:// or wss:// in the address in place of http:// or ws://").Bytes())
	if half, ok := u.nc.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = u.nc.SetReadDeadline(time.Now().Add(u.rt.cfg.CloseTimeout))
		_, _ = io.CopyN(io.Discard, u.nc, maxScrap)
	}
}

// takeTurn is called once there is something to compute with: it waits until fewer handshakes compute than may. So who shakes hands,
// how often, and in how many steps, leaves processors to those who talk.
func (u *underTLS) takeTurn() {
	u.rt.shaking <- struct{}{}
	u.turn.Store(true)
}

// endTurn is called by each read and each write, which wait for the peer, and at the end.
func (u *underTLS) endTurn() {
	if u.turn.CompareAndSwap(true, false) {
		<-u.rt.shaking
	}
}

func (u *underTLS) Write(p []byte) (int, error) {
	u.endTurn()
	if u.nc != nil {
		return u.nc.Write(p)
	}
	return u.keep(p)
}

// Close is net/http's, or that of a goroutine: a loop closes the descriptor.
func (u *underTLS) Close() error {
	if u.nc == nil {
		return nil
	}
	u.endTurn()
	err := u.nc.Close()               // ends a handshake that is under way,
	if done := u.done.Load(); !done { // which the state of the connection waits for
		u.count(u.tls.ConnectionState().HandshakeComplete)
	}
	return err
}

func (u *underTLS) LocalAddr() net.Addr {
	if u.nc == nil {
		return nil
	}
	return u.nc.LocalAddr()
}

func (u *underTLS) RemoteAddr() net.Addr {
	if u.nc == nil {
		return nil
	}
	return u.nc.RemoteAddr()
}

func (u *underTLS) SetDeadline(t time.Time) error {
	if u.nc == nil {
		return nil // the sweeper's task
	}
	return u.nc.SetDeadline(t)
}

func (u *underTLS) SetReadDeadline(t time.Time) error {
	if u.nc == nil {
		return nil
	}
	return u.nc.SetReadDeadline(t)
}

func (u *underTLS) SetWriteDeadline(t time.Time) error {
	if u.nc == nil {
		return nil
	}
	return u.nc.SetWriteDeadline(t)
}

// records follows where the records of TLS end (RFC 8446 section 5.1).
type records struct {
	header [recordHeader]byte
	have   uint8  // bytes of the header
	rest   uint16 // bytes of the record that are to come, once the header is whole
	ended  uint32 // records that have ended
}

const recordHeader = 5

// pass takes notice of bytes that came.
func (r *records) pass(p []byte) {
	for len(p) > 0 {
		if r.have < recordHeader {
			n := copy(r.header[r.have:], p)
			r.have, p = r.have+uint8(n), p[n:]
			if r.have < recordHeader {
				return
			}
			r.rest = uint16(r.header[3])<<8 | uint16(r.header[4])
		}
		n := min(int(r.rest), len(p))
		r.rest, p = r.rest-uint16(n), p[n:]
		if r.rest == 0 {
			r.have = 0
			r.ended++
		}
	}
}

// within reports whether a record has begun and not ended.
func (r *records) within() bool { return r.have > 0 }
