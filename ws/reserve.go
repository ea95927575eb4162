package ws

import (
	"net"
	"net/netip"
	"syscall"

	"edgechat/refusal"
)

// reserveSize is how many descriptors are kept from WebSockets, or a quarter of all if that is less.
const reserveSize = 64

// A reserve is the last descriptors that the process may have. Whoever wants to know how the server is,
// or act upon it, needs some when clients have taken all others: for a request from this machine, the
// admin socket, a token file, the store's files. The kernel gives each connection the lowest number that
// is free, so its number tells how many are in use, and nothing has to be counted.
//
//	0 ... full      everyone
//	full ... scarce HTTP from this machine, if it says something at once; everyone else is told to come back
//	scarce ... last HTTP from this machine alone; everyone else is answered and cut
//	last ...        nobody who connects
type reserve struct{ limit, full, scarce, last int32 }

// newReserve returns the reserve of a process that may have so many descriptors; 0 is no limit.
func newReserve(limit int) reserve {
	if limit <= 0 || limit > 1<<30 {
		limit = 1 << 30
	}
	size := min(reserveSize, limit/4)
	return reserve{limit: int32(limit), full: int32(limit - size), scarce: int32(limit - size/2), last: int32(limit - size/4)}
}

// crowded reports whether a descriptor is one of the reserve.
func (r *reserve) crowded(fd int32) bool { return fd >= r.full }

// crowdedConn is crowded of a connection; one whose descriptor is not known is none.
func (r *reserve) crowdedConn(nc net.Conn) bool { return r.crowded(descriptorOf(nc)) }

// descriptorOf returns the descriptor of nc, -1 if it has none that is known.
func descriptorOf(nc net.Conn) (fd int32) {
	fd = -1
	if sc, ok := underneath(nc).(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			_ = raw.Control(func(n uintptr) { fd = int32(n) }) // it fails on one that is closed
		}
	}
	return fd
}

// tooFull answers who would need a descriptor of the reserve.
func tooFull() *refusal.Error {
	return refusal.New(refusal.Unavailable, "the server has as many connections as it can hold: try again later").With("Retry-After", "30")
}

// turnedAway counts somebody who got no connection for want of descriptors, and logs that once a minute.
func (rt *Router) turnedAway(addr net.Addr) {
	rt.stats.crowded.Add(1)
	rt.stats.crowdedAt.Store(rt.tick.Load())
	if others, ok := rt.rare.crowded.now(); ok {
		rt.cfg.Logger.Warn("no descriptors for more connections: new ones are refused", "addr", addr.String(), "others", others,
			"limit", rt.reserve.limit, "hint", "raise LimitNOFILE in the unit, or ulimit -n")
	}
}

// crowding reports whether somebody was turned away within the last minute.
func (rt *Router) crowding() bool {
	return rt.stats.crowded.Load() > 0 && rt.tick.Load()-rt.stats.crowdedAt.Load() < uint32(rareEvery/rt.tickLength())
}

// peerIsLocal reports whether a peer is on this machine.
func peerIsLocal(addr net.Addr) bool {
	if tcp, ok := addr.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap().IsLoopback()
	}
	return false
}

// Peers returns how many connections there are from each address, those that have said nothing yet included; those that have none, over unix
// sockets, are under the zero Addr. It asks the kernel for each: it is for people, not for metrics.
func (rt *Router) Peers() map[netip.Addr]int {
	peers := map[netip.Addr]int{}
	for _, c := range rt.conns.all(nil) {
		var addr netip.Addr
		if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
			addr = tcp.AddrPort().Addr().Unmap()
		}
		peers[addr]++
	}
	rt.lobby.peers(peers)
	return peers
}
