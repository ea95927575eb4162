package ws

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"edgechat/limit"
	"edgechat/refusal"
)

// Limits say how many connections there may be, and how much comes over one. Zero is no limit, in each
// field. Those by address hold for nobody on this machine and for no trusted proxy, and shrink once half of those in all are
// taken (see limit.Counts.EnterOf).
type Limits struct {
	// Connections is how many there may be in all. The last 64 of them, or a quarter if that is less, are
	// kept from WebSockets.
	Connections int
	// PerAddress is how many WebSockets and streams an address may have.
	PerAddress int
	// Streams is how many answers without an end there may be (see Feed), and requests that wait (see Router.Wait). Of Plain
	// at most half may wait.
	Streams int
	// Plain is how many connections there may be that are no WebSocket, or none yet.
	Plain int
	// PlainPerAddress is how many of these an address may have; requests that a trusted proxy passes on
	// count as connections of their client.
	PlainPerAddress int
	// Handshakes of TLS that an address may begin. Each costs over ten times what a connection without TLS does.
	Handshakes limit.Rate
	// Frames of any kind on one connection: messages, their fragments, pings and pongs. Who sends more is closed with 1008.
	Frames limit.Rate
}

// DefaultLimits are those that people who talk do not notice. Connections is not among them: what there is
// room for depends on the machine.
func DefaultLimits() Limits {
	return Limits{PerAddress: 64, Streams: 1000, Plain: 256, PlainPerAddress: 16, Handshakes: limit.Rate{N: 10, Burst: 100}, Frames: limit.Rate{N: 50, Burst: 200}}
}

// LimitStats are how often each limit was reached, since the start.
type LimitStats struct {
	Connections     uint64 // connections and handshakes that were refused by Limits.Connections
	PerAddress      uint64 // handshakes and streams, by Limits.PerAddress
	Streams         uint64 // streams and requests that would wait, by Limits.Streams
	Plain           uint64 // connections, by Limits.Plain
	PlainPerAddress uint64 // connections and requests, by Limits.PlainPerAddress
	Handshakes      uint64 // connections for TLS, by Limits.Handshakes
	Frames          uint64 // connections that were closed by Limits.Frames
}

type limitCounts struct {
	connections, perAddress, streams, plain, plainPerAddress, handshakes, frames atomic.Uint64
}

func (c *limitCounts) stats() LimitStats {
	return LimitStats{c.connections.Load(), c.perAddress.Load(), c.streams.Load(), c.plain.Load(), c.plainPerAddress.Load(), c.handshakes.Load(), c.frames.Load()}
}

// A census counts the connections that are no WebSockets, or none yet: newcomers, those of net/http, and those that were
// refused and have not hung up. The registry counts the others.
type census struct {
	limits  Limits
	proxies limit.Proxies
	sockets func() int
	plain   atomic.Int64
	by      *limit.Counts
	shakes  *limit.Table // handshakes of TLS
	counts  limitCounts

	full, crowd, address []byte // answers, as HTTP
	farewells            atomic.Int32
}

func (s *census) init(rt *Router) {
	s.limits, s.proxies, s.sockets, s.by = rt.cfg.Limits, rt.cfg.Proxies, rt.conns.count, limit.NewCounts(rt.cfg.Limits.PlainPerAddress)
	s.shakes = limit.NewTable(rt.cfg.Limits.Handshakes)
	s.full, s.crowd, s.address = tooMany().Bytes(), tooManyPlain().Bytes(), tooManyOfAddress().Bytes()
}

// spare is how many of the connections are kept from WebSockets.
func (l *Limits) spare() int { return min(reserveSize, l.Connections/4) }

func tooMany() *refusal.Error {
	e := refusal.New(refusal.TooManyConnections, "the server has as many connections as it may have (--connections): try again later").After(30 * time.Second)
	e.Status = 503
	return e
}

func tooManyPlain() *refusal.Error {
	e := refusal.New(refusal.TooManyConnections, "many are connecting, or asking, at this moment (--http-connections): try again soon").After(time.Second)
	e.Status = 503
	return e
}

func tooManyOfAddress() *refusal.Error {
	return refusal.New(refusal.TooManyConnections, "there are as many connections for plain HTTP from this address as there may be (--http-per-address), which is fewer while many are there: use those, or close some").After(time.Second)
}

func tooManySockets() *refusal.Error {
	return refusal.New(refusal.TooManyConnections, "there are as many WebSockets and streams from this address as there may be (--connections-per-address), which is fewer while many are there: close one, or join several rooms on one").After(5 * time.Second)
}

func tooManyStreams() *refusal.Error {
	e := refusal.New(refusal.TooManyConnections, "the server has as many readers over plain HTTP as it may have (--streams): try again later").After(5 * time.Second)
	e.Status = 503
	return e
}

// enter counts a connection that was accepted, or returns what it is answered.
func (s *census) enter(source limit.Addr) (answer []byte) {
	l := &s.limits
	plain := s.plain.Add(1)
	switch {
	case l.Plain > 0 && plain > int64(l.Plain):
		s.counts.plain.Add(1)
		answer = s.crowd
	case l.Connections > 0 && plain+int64(s.sockets()) > int64(l.Connections):
		s.counts.connections.Add(1)
		answer = s.full
	case !s.by.EnterOf(source, l.Plain, int(plain)-1):
		s.counts.plainPerAddress.Add(1)
		answer = s.address
	default:
		return nil
	}
	s.plain.Add(-1)
	return answer
}

// mayShake reports whether source may begin one more handshake of TLS, and counts that.
func (s *census) mayShake(source limit.Addr) bool {
	if s.shakes.Take(source, 1) == 0 {
		return true
	}
	s.counts.handshakes.Add(1)
	return false
}

// force counts a connection whatever the limits say: one that is to be told of a stop.
func (s *census) force() { s.plain.Add(1) }

// leave says that a connection which has entered has ended, or become a WebSocket.
func (s *census) leave(source limit.Addr) {
	s.plain.Add(-1)
	s.by.Leave(source)
}

// sourceOf returns as what the peer of a connection counts.
func (s *census) sourceOf(addr net.Addr) limit.Addr {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return s.proxies.Peer(tcp.AddrPort().Addr())
	}
	return s.proxies.Peer(netip.Addr{})
}

// maxFarewells is how many that were turned away at once have time to take their answer. The rest are cut behind it, and
// may not see it: they cost nothing.
const maxFarewells = 64

// farewell reports whether one more has. Then farewellOver follows.
func (s *census) farewell() bool {
	for {
		n := s.farewells.Load()
		if n >= maxFarewells {
			return false
		}
		if s.farewells.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (s *census) farewellOver() { s.farewells.Add(-1) }

// request counts a request that a trusted proxy passes on as a connection of its client, which it stands for, until
// done is called. An error is its answer.
func (s *census) request(r *Request) (done func(), err error) {
	if r.counts == limit.Exempt || s.limits.PlainPerAddress <= 0 || s.proxies.Peer(r.peer) != limit.Exempt {
		return func() {}, nil
	}
	if !s.by.Enter(r.counts) {
		s.counts.plainPerAddress.Add(1)
		return nil, tooManyOfAddress()
	}
	return func() { s.by.Leave(r.counts) }, nil
}
