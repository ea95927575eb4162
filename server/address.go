package server

import (
	"net"
	"net/netip"
	"strconv"
)

// maxURLs bounds the addresses printed for one listener; a machine with many
// virtual networks has dozens.
const maxURLs = 8

// urls returns where people can reach a listener at addr. For the unspecified
// address these are this machine's own, which hosts lists.
func urls(scheme string, addr net.Addr, hosts func() []netip.Addr) []string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return nil
	}
	url := func(host string) string {
		return scheme + "://" + net.JoinHostPort(host, strconv.Itoa(tcp.Port))
	}
	if !tcp.IP.IsUnspecified() {
		return []string{url((&net.IPAddr{IP: tcp.IP, Zone: tcp.Zone}).String())}
	}
	list := []string{url("localhost")}
	for _, ip := range hosts() {
		// A listener on 0.0.0.0 is not reached by IPv6.
		if len(list) < maxURLs && (ip.Is4() || tcp.IP.To4() == nil) {
			list = append(list, url(ip.String()))
		}
	}
	return list
}

// URLs returns where people can reach a server that listens on addr: on all addresses, "http://localhost:PORT"
// first, then those of this machine.
func URLs(addr net.Addr) []string { return urls("http", addr, localHosts) }

// URLs returns where people can reach s.
func (s *Server) URLs() (list []string) {
	for _, l := range s.listeners {
		list = append(list, URLs(l.Addr())...)
	}
	return list
}

// LocalAddresses returns the addresses of this machine at which others may reach it.
func LocalAddresses() []netip.Addr { return localHosts() }

// localHosts lists the addresses of the interfaces that are up, as reachable
// orders them. A sandbox may forbid to ask; then there are none.
func localHosts() []netip.Addr {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil
	}
	var all []net.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagRunning == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		if addrs, err := i.Addrs(); err == nil {
			all = append(all, addrs...)
		}
	}
	return reachable(all)
}

// reachable returns those of an interface's addresses where others can connect,
// IPv4 first: it is what one can type into a phone.
func reachable(addrs []net.Addr) []netip.Addr {
	var four, six []netip.Addr
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		switch {
		case err != nil || !p.Addr().IsGlobalUnicast():
		case p.Addr().Is4():
			four = append(four, p.Addr())
		default:
			six = append(six, p.Addr())
		}
	}
	return append(four, six...)
}
