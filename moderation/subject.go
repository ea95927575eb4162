package moderation

import (
	"fmt"
	"net/netip"

	"edgechat/names"
)

// A Subject is whom a rule is about: one of the three.
type Subject struct {
	Identity string       // the name of a token
	Name     string       // that is shown, with a token or without, and what could pass for it
	Address  netip.Prefix // of a connection
}

// about says for people whom an act or a rule is about; "" if it is about nobody.
func about(identity, name, address string) string {
	switch {
	case identity != "":
		return fmt.Sprintf("token %q", identity)
	case name != "":
		return fmt.Sprintf("name %q", name)
	case address != "":
		return "address " + address
	}
	return ""
}

// A Who is somebody who enters or writes.
type Who struct {
	Identity  string     // the name of the token; "" is none
	Name      string     // that is shown
	Address   netip.Addr // not valid: no rule by address holds, as for this machine and for trusted proxies
	Moderator bool       // may moderate the room: rules by name and address do not hold, nor those about all who write there
}

// Is reports whether s is about w.
func (s Subject) Is(w Who) bool {
	switch {
	case s.Identity != "":
		return s.Identity == w.Identity
	case w.Moderator:
		return false
	case s.Name != "":
		return names.Alike(s.Name, w.Name)
	}
	return s.Address.IsValid() && s.Address.Contains(w.Address.Unmap().WithZone(""))
}

// sitePrefix is how many bits of IPv6 one site has, as in limits by address.
const sitePrefix = 64

// ParseAddress reads an address or a prefix, such as 192.0.2.1, 192.0.2.0/24, 2001:db8::1, 2001:db8::/48. One of IPv6
// without a length is its /64, which is one site, and may be all of a local network: write /128 for one device there.
func ParseAddress(text string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(text)
	if err != nil {
		ip, err := netip.ParseAddr(text)
		if err != nil || ip.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%.60q is not an address such as 192.0.2.1 or 2001:db8::1, or a prefix such as 192.0.2.0/24", text)
		}
		ip = ip.Unmap()
		bits := ip.BitLen()
		if ip.Is6() {
			bits = sitePrefix
		}
		p = netip.PrefixFrom(ip, bits)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, fmt.Errorf("%.60q has all of IPv4 in it: name a prefix of IPv4", text)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p.Addr().IsLoopback() {
		return netip.Prefix{}, fmt.Errorf("%.60q is this machine, for which no rule by address holds: name a token or a name", text)
	}
	return p.Masked(), nil
}
