package client

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// mostPlaces bounds the addresses that are kept: where the Room is, that of its Config, and as many others as a server names
// (16, docs/protocol.md).
const mostPlaces = 2 + 16

// places are where a Room may be: the address of its Config, and those of other servers that have the same rooms, which the server has named. The first
// is where it is, or tries to be.
type places struct {
	home *url.URL

	mu    sync.Mutex
	list  []*url.URL
	tried int // since the last wait
}

func (p *places) init(home *url.URL) { p.home, p.list = home, []*url.URL{home} }

// now returns where the Room is.
func (p *places) now() *url.URL {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.list[0]
}

// meet notes what a server that has let us in says of others. The token goes to no other address than those, and
// from one with TLS to none without.
func (p *places) meet(nodes []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried = 0
	list := []*url.URL{p.list[0]}
	add := func(u *url.URL) {
		if len(list) < mostPlaces && !slices.ContainsFunc(list, func(x *url.URL) bool { return samePlace(x, u) }) {
			list = append(list, u)
		}
	}
	add(p.home)
	rand.Shuffle(len(nodes), func(i, j int) { nodes[i], nodes[j] = nodes[j], nodes[i] }) // or all who were at one meet at another
	for _, node := range nodes {
		if u, err := ParseURL(node); err == nil && (isSecure(u) || !isSecure(p.home)) {
			add(u)
		}
	}
	for _, u := range p.list { // one that is away now may be there again
		add(u)
	}
	p.list = list
}

// next goes to the next address, and reports whether that was not tried since the last wait.
func (p *places) next() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = append(p.list[1:len(p.list):len(p.list)], p.list[0])
	p.tried = (p.tried + 1) % len(p.list)
	return p.tried > 0
}

// moves reports whether another address may do what this one did not, since nobody is there who can, or it is another's no.
func (r *Room) moves(err error) bool {
	refusal, refused := errors.AsType[*Refusal](err)
	switch {
	case !r.entered.IsZero():
		return false // it comes back to where it was first
	case !refused:
		return true
	case refusal.Status == http.StatusTooManyRequests:
		return false
	}
	return refusal.Status >= 500 || r.places.now() != r.places.home
}

// samePlace reports whether two addresses are of one server: ws is http, hosts have no case, and a port may be left out.
func samePlace(a, b *url.URL) bool {
	return isSecure(a) == isSecure(b) && strings.EqualFold(hostPort(a), hostPort(b)) && a.EscapedPath() == b.EscapedPath()
}

// hostPort is where to connect to.
func hostPort(u *url.URL) string {
	port := u.Port()
	switch {
	case port != "":
	case isSecure(u):
		port = "443"
	default:
		port = "80"
	}
	return net.JoinHostPort(u.Hostname(), port)
}

func isSecure(u *url.URL) bool { return u.Scheme == "https" || u.Scheme == "wss" }
