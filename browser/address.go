package browser

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// mostAddress bounds the address of a server, in bytes.
const mostAddress = 255

var errAddress = errors.New("is not of the form http://host:port or https://host, with the path below which a proxy has the server")

// ParseAddress returns the address under which clients reach a server, "https://chat.example/edge", and the origin that its page has in a
// browser. ws and wss are http and https. The address has no slash at its end, and names nothing that a browser would spell in another way.
func ParseAddress(s string) (address, origin string, err error) {
	if len(s) > mostAddress {
		return "", "", fmt.Errorf("%q is longer than %d bytes", clip(s), mostAddress)
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return "", "", fmt.Errorf("%q %w", s, errAddress)
	}
	switch u.Scheme {
	case "ws":
		u.Scheme = "http"
	case "wss":
		u.Scheme = "https"
	}
	origin, ok := originOf(u)
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return "", "", fmt.Errorf("%q %w", s, errAddress)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return "", "", fmt.Errorf("%q has more than a scheme, a host and a path: everyone is told it", s)
	case !ok || strings.Contains(origin, "%"):
		return "", "", fmt.Errorf("%q has a host that no browser sends: others than ASCII are xn--..., a port is at most 65535, and an address has no zone", s)
	}
	path := strings.TrimRight(u.EscapedPath(), "/")
	if strings.Contains(path, "//") || strings.Contains(path+"/", "/./") || strings.Contains(path+"/", "/../") {
		return "", "", fmt.Errorf("%q has a path that a browser writes in another way", s)
	}
	return origin + path, origin, nil
}

// Names reports whether a request that comes under the host of an address, as ParseAddress returns it, is let in.
func (p *Policy) Names(address string) bool {
	u, err := url.Parse(address)
	return err == nil && p.hostAllowed(u.Host)
}
