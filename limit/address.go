package limit

import (
	"encoding/binary"
	"net/netip"
)

// An Addr is what counts as one address: an address of IPv4, or 64 bits of IPv6, which are what a
// network gives to one site and which one client may choose any of.
type Addr uint64

// Exempt is whom no limit by address holds for: this machine, and trusted proxies.
const Exempt Addr = 0

// unknown is an address that was not told where it should have been.
const unknown Addr = 1

// fromIPv4 marks an Addr of IPv4. The like of it is no address of IPv6 that anyone has (0000::/8, RFC 4291 section 4).
const fromIPv4 Addr = 1 << 32

// addrOf returns what ip counts as, wherever it is.
func addrOf(ip netip.Addr) Addr {
	ip = ip.Unmap()
	switch {
	case !ip.IsValid():
		return unknown
	case ip.Is4():
		b := ip.As4()
		return fromIPv4 | Addr(binary.BigEndian.Uint32(b[:]))
	}
	b := ip.As16()
	return max(unknown, Addr(binary.BigEndian.Uint64(b[:8])))
}

// IP returns the address that counts as a, with these as its last 64 bits if it is one of IPv6; not valid for whom no limit holds.
func (a Addr) IP(low uint64) netip.Addr {
	switch {
	case a == Exempt:
		return netip.Addr{}
	case a>>32 == fromIPv4>>32:
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(a))))
	}
	return netip.AddrFrom16([16]byte(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(a)), low)))
}

// Low returns the last 64 bits of an address of IPv6, and 0 of any other.
func Low(ip netip.Addr) uint64 {
	if ip = ip.Unmap(); !ip.Is6() {
		return 0
	}
	b := ip.As16()
	return binary.BigEndian.Uint64(b[8:])
}
