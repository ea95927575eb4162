package browser

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ParseHost returns a name, or an address, of --allowed-hosts as it is compared: in lower case, without a dot at
// the end. "*" is every name. A port is no part of it: a name is let in at each.
func ParseHost(s string) (string, error) {
	if s == anything {
		return s, nil
	}
	name, port, ok := splitHost(s)
	switch {
	case strings.Contains(s, "://"):
		return "", fmt.Errorf("%q is an address of a page: a name such as chat.example is wanted", s)
	case strings.Contains(s, "*"):
		return "", fmt.Errorf("%q matches nothing: names are compared whole; write each, or * for all", s)
	case !ok || name == "":
		return "", fmt.Errorf("%q is not a name such as chat.example (others than ASCII as xn--..., as browsers send them)", s)
	case port != "":
		return "", fmt.Errorf("%q has a port: write %s, which is let in at each", s, name)
	}
	return name, nil
}

// hostAllowed reports whether a Host header names this server. The names that need no setting are those that nobody
// on the internet can have point here, which is how a page from elsewhere would get around its own origin (DNS rebinding):
// addresses, localhost, the machine's own name, .local, which is asked for on the link alone (RFC 6762), and names
// without a dot. No name at all is a program's, not a browser's.
func (p *Policy) hostAllowed(host string) bool {
	if host == "" || p.anyHost {
		return true
	}
	name, _, ok := splitHost(host)
	if !ok {
		return false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return !strings.Contains(name, ".") || strings.HasSuffix(name, ".local") || strings.HasSuffix(name, ".localhost") || p.hosts[name]
}

// splitHost returns the name and the port of a Host header (RFC 9110 section 7.2): the name in lower case and
// without the dot at its end, an IPv6 address without brackets.
func splitHost(s string) (name, port string, ok bool) {
	const most = 253 + len(".:65535") // RFC 1035 section 2.3.4
	if len(s) > most {
		return "", "", false
	}
	name = s
	if rest, is6 := strings.CutPrefix(s, "["); is6 {
		address, after, closed := strings.Cut(rest, "]")
		ip, err := netip.ParseAddr(address)
		if !closed || err != nil || !ip.Is6() || strings.ContainsFunc(ip.Zone(), notOfZone) {
			return "", "", false
		}
		name, port = address, after
		if after != "" && !strings.HasPrefix(after, ":") {
			return "", "", false
		}
		port = strings.TrimPrefix(port, ":")
	} else {
		name, port, _ = strings.Cut(s, ":")
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		for i := range len(name) {
			if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
				return "", "", false
			}
		}
		if name == "" || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
			return "", "", false
		}
	}
	if port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return "", "", false
		}
	}
	return name, port, true
}

// notOfZone reports whether r cannot stand in the zone of an address (RFC 6874).
func notOfZone(r rune) bool {
	return (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~%", r)
}

func isLoopback(name string) bool {
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback()
}

// flagValue is what to write for host behind --allowed-hosts.
func flagValue(host string) string {
	if name, _, ok := splitHost(host); ok {
		return name
	}
	return "NAME"
}
