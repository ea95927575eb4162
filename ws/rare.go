package ws

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"edgechat/limit"
	"edgechat/refusal"
	"edgechat/ws/internal/outbox"
)

// rareEvery is how often a line that clients can cause at will is logged at most.
const rareEvery = time.Minute

// A rarely says when something that happens often is to be logged.
type rarely struct {
	mu     sync.Mutex
	last   time.Time
	missed int
}

// now reports whether it is to be logged now, and how often it happened since without.
func (r *rarely) now() (missed int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); r.last.IsZero() || now.Sub(r.last) >= rareEvery {
		missed, r.missed, r.last = r.missed, 0, now
		return missed, true
	}
	r.missed++
	return 0, false
}

// offenders are addresses that were refused for who they are, or are not, or that do too much or take too little. Each is
// logged once a minute at most, and only so many of them.
type offenders struct {
	mu   sync.Mutex
	seen map[netip.Prefix]*offender
}

type offender struct {
	since  time.Time // of the last line
	missed int       // refusals since then
}

// maxOffenders bounds them: from as many addresses it is an attack, of which these lines tell enough.
const maxOffenders = 256

// now is rarely.now for one address. All of a network that one customer has are one: 64 bits of IPv6. One that is not valid, a unix
// socket's, is another.
func (o *offenders) now(ip netip.Addr) (missed int, ok bool) {
	var network netip.Prefix
	if ip = ip.Unmap().WithZone(""); ip.IsValid() {
		network, _ = ip.Prefix(min(ip.BitLen(), 64)) // bits are in range
	}
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if one := o.seen[network]; one != nil {
		if now.Sub(one.since) < rareEvery {
			one.missed++
			return 0, false
		}
		missed = one.missed
	} else if len(o.seen) >= maxOffenders {
		for n, one := range o.seen {
			if now.Sub(one.since) >= rareEvery {
				delete(o.seen, n)
			}
		}
		if len(o.seen) >= maxOffenders {
			return 0, false
		}
	}
	if o.seen == nil {
		o.seen = make(map[netip.Prefix]*offender)
	}
	o.seen[network] = &offender{since: now}
	return missed, true
}

// closing implements outbox.Config.Closing: it logs that a connection is closed for what its peer does: it sends what it may not, or takes too little.
func (rt *Router) closing(t outbox.Transport, code uint16, reason string) {
	if code != refusal.ClosePolicyViolation && code != refusal.CloseTryAgainLater {
		return
	}
	addr, ip := t.(driver).peerLocked(), netip.Addr{}
	if tcp, ok := addr.(*net.TCPAddr); ok {
		ip = tcp.AddrPort().Addr()
	}
	from := addr.String()
	if client := t.(driver).from(); rt.cfg.Proxies.Trusts(ip) && client != limit.Exempt { // a proxy's, which is not who did it
		if ip = client.IP(0); ip.Is6() {
			from = netip.PrefixFrom(ip, 64).String()
		} else {
			from = ip.String()
		}
	}
	if others, ok := rt.rare.closed.now(ip); ok {
		rt.cfg.Logger.Warn("closed", "code", code, "reason", reason, "addr", from, "others", others)
	}
}
