package limit

import (
	"net/http"
	"net/netip"
	"strings"
)

// Proxies are those that are trusted to say whom they speak for: those named, and this machine. The zero value is this
// machine alone.
type Proxies struct{ prefixes []netip.Prefix }

// NewProxies returns the Proxies that are in one of prefixes.
func NewProxies(prefixes []netip.Prefix) Proxies { return Proxies{prefixes} }

// Trusts reports whether ip is a trusted proxy, or on this machine. An Addr that is not valid is a unix
// socket's.
func (p Proxies) Trusts(ip netip.Addr) bool {
	ip = ip.Unmap()
	if !ip.IsValid() || ip.IsLoopback() {
		return true
	}
	if len(p.prefixes) == 0 {
		return false
	}
	ip = ip.WithZone("")
	for _, prefix := range p.prefixes {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// Peer returns what the other end of a connection counts as.
func (p Proxies) Peer(ip netip.Addr) Addr {
	if p.Trusts(ip) {
		return Exempt
	}
	return addrOf(ip)
}

// Client returns where a request with the header h comes from that peer has sent, and what that counts as.
//
// It is the peer, unless that is trusted: then X-Forwarded-For and Forwarded (RFC 7239) are read, from the right, where
// the last proxy has written. The first address that is no trusted proxy is the client's; what stands left of it may be
// anybody's invention. Where they end in something else, or do not agree, since only one of them is the proxy's
// own, it is the last proxy that is known, and counts.
func (p Proxies) Client(peer netip.Addr, h http.Header) (ip netip.Addr, counts Addr) {
	peer = peer.Unmap()
	if !p.Trusts(peer) {
		return peer, addrOf(peer)
	}
	usual, standard := h["X-Forwarded-For"], h["Forwarded"]
	if len(usual) == 0 && len(standard) == 0 {
		return peer, Exempt
	}
	var found [2]netip.Addr
	var sure [2]bool
	if len(usual) > 0 {
		found[0], sure[0] = p.last(peer, usual, false)
	}
	if len(standard) > 0 {
		found[1], sure[1] = p.last(peer, standard, true)
	}
	i := 0
	switch {
	case len(usual) == 0:
		i = 1
	case len(standard) > 0 && (found[0] != found[1] || !sure[0] || !sure[1]):
		return peer, addrOf(peer)
	}
	if sure[i] {
		return found[i], p.Peer(found[i])
	}
	return found[i], addrOf(found[i])
}

// maxHops is how many proxies may stand one behind another.
const maxHops = 16

// last returns the first address from the right that is not trusted, or the leftmost of all; or the last trusted one
// and false, if something else stands left of it.
func (p Proxies) last(peer netip.Addr, lines []string, standard bool) (ip netip.Addr, ok bool) {
	ip = peer
	for hops := 0; len(lines) > 0; {
		line := lines[len(lines)-1]
		lines = lines[:len(lines)-1]
		for more := true; more; hops++ {
			var hop string
			if hop, line, more = lastOf(line, ','); standard {
				hop = forwardedFor(hop)
			}
			next, valid := parseHop(hop)
			if !valid || hops == maxHops {
				return ip, false
			}
			if ip = next; !p.Trusts(ip) {
				return ip, true
			}
		}
	}
	return ip, true
}

// lastOf cuts s at the last sep that is not in quotes. Read from the right, what stands left of it changes nothing.
func lastOf(s string, sep byte) (last, rest string, found bool) {
	quoted := false
	for i := len(s) - 1; i >= 0; i-- {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			return s[i+1:], s[:i], true
		}
	}
	return s, "", false
}

// forwardedFor returns the node that an element of Forwarded is "for", or "".
func forwardedFor(element string) string {
	for more := true; more; {
		var pair string
		pair, element, more = lastOf(element, ';')
		name, value, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(strings.Trim(name, " \t"), "for") {
			continue
		}
		value = strings.Trim(value, " \t")
		if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
			return value[1 : n-1]
		}
		return value
	}
	return ""
}

// parseHop reads an address with or without a port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1, [2001:db8::1], [2001:db8::1]:80.
func parseHop(s string) (ip netip.Addr, ok bool) {
	s = strings.Trim(s, " \t")
	if inner, isBare := strings.CutPrefix(s, "["); isBare && strings.HasSuffix(inner, "]") {
		s = inner[:len(inner)-1]
		if ip, err := netip.ParseAddr(s); err == nil && ip.Is6() {
			return ip.Unmap().WithZone(""), true
		}
		return netip.Addr{}, false
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		return ip.Unmap().WithZone(""), true
	}
	if port, err := netip.ParseAddrPort(s); err == nil {
		return port.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}
