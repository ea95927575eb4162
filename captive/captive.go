// Package captive makes the chat the sign-in page of a Wi-Fi that leads to no internet.
//
// Whoever joins a Wi-Fi asks a server of its system's maker for a page that it knows (see probes). On a board that is its own Wi-Fi each
// name leads to the board, and so the question comes here. The first time it is answered with a redirect to the chat, which
// the system then shows as the page of the Wi-Fi; once that address has been in the chat, with what the maker's
// server would say, so that the system believes that all is well and stays.
//
// One rule for callers: [Portal.Wrap] answers before names of the server are checked, and answers nothing but probes, and those
// with nothing of the server's: a page from elsewhere learns nothing by asking under the name of a probe (DNS rebinding).
package captive

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"
)

// What a Config that names none has.
const (
	DefaultDelay     = 10 * time.Second
	DefaultTime      = 12 * time.Hour
	DefaultAddresses = 1000
)

// A Config says how long addresses are asked to sign in, and told that all is well. The zero value works.
type Config struct {
	// Delay is the time from when an address has loaded the page until it is told that all is well, unless it has entered
	// the chat before. Android closes the page as soon as it is told so, and asks once the page is loaded. Default DefaultDelay.
	Delay time.Duration
	// Time is how long an address is told so after it was last heard of. Default DefaultTime.
	Time time.Duration
	// Addresses is how many are known at once; beyond them the one that has been silent longest is forgotten, and is asked to sign
	// in again. Default DefaultAddresses.
	Addresses int
	// BasePath is where the page is, without the slash at its end. Default "".
	BasePath string
	// Client returns the address from which a request comes. Default that of its connection.
	Client func(*http.Request) netip.Addr
}

// Stats counts since the start.
type Stats struct {
	Asked     uint64 // probes that were answered with the page
	Well      uint64 // probes that were told that all is well
	Addresses int    // that are known now
	Forgotten uint64 // addresses that made room for others
}

// A Portal may be used from any number of goroutines. Nothing in it waits.
type Portal struct {
	cfg         Config
	visits      visits
	asked, well atomic.Uint64
}

// New returns a Portal.
func New(cfg Config) (*Portal, error) {
	if cfg.Delay < 0 || cfg.Time < 0 || cfg.Addresses < 0 {
		return nil, fmt.Errorf("captive: Delay is %v, Time %v, Addresses %d: they must not be negative", cfg.Delay, cfg.Time, cfg.Addresses)
	}
	cfg.Delay = cmp.Or(cfg.Delay, DefaultDelay)
	cfg.Time = cmp.Or(cfg.Time, DefaultTime)
	cfg.Addresses = cmp.Or(cfg.Addresses, DefaultAddresses)
	if cfg.Client == nil {
		cfg.Client = peer
	}
	return &Portal{cfg: cfg, visits: visits{delay: cfg.Delay, time: cfg.Time, most: cfg.Addresses, known: map[netip.Addr]*visit{}}}, nil
}

// peer is where the connection of r comes from.
func peer(r *http.Request) netip.Addr {
	ap, _ := netip.ParseAddrPort(r.RemoteAddr) // a unix socket has none
	return ap.Addr().Unmap()
}

// Wrap returns a handler that answers probes and leaves all else to next.
func (p *Portal) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		probe, ours := find(r)
		if !ours {
			next.ServeHTTP(w, r)
			return
		}
		page, ok := p.page(r)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Connection", "close") // it will not ask for more, and the next one has another address
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if probe != nil && p.visits.well(p.cfg.Client(r)) {
			p.well.Add(1)
			probe.answer(w, r)
			return
		}
		p.asked.Add(1)
		h.Set("Location", page)
		h.Set("Content-Type", html+"; charset=utf-8")
		w.WriteHeader(http.StatusFound)
		if r.Method == http.MethodGet {
			_, _ = fmt.Fprintf(w, "<!doctype html><title>edgechat</title><a href=%q>The chat is here</a>\n", page)
		}
	})
}

// page returns the address of the page as r's sender reaches it: the number at which this request has come in, which works
// where no name does. There is none behind a proxy, nor on a link that needs a zone.
func (p *Portal) page(r *http.Request) (string, bool) {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok {
		return "", false
	}
	ap := local.AddrPort()
	ip := ap.Addr().Unmap()
	if ip.Zone() != "" || ip.IsLoopback() && !p.cfg.Client(r).IsLoopback() {
		return "", false
	}
	host := netip.AddrPortFrom(ip, ap.Port()).String()
	if ap.Port() == 80 {
		host = strings.TrimSuffix(host, ":80")
	}
	return "http://" + host + p.cfg.BasePath + "/", true
}

// Note is told of each request to the server itself, and remembers who has the page and who is in the chat. A request for the page
// alone says nothing: what asks for the probe may follow its redirect, without anybody who sees it.
func (p *Portal) Note(r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, p.cfg.BasePath)
	switch {
	case strings.HasPrefix(path, "/assets/"):
		p.visits.note(p.cfg.Client(r), false)
	case strings.HasPrefix(path, "/chat/") || path == "/chat":
		p.visits.note(p.cfg.Client(r), true)
	}
}

// API answers as RFC 8908 has it, for who was told of it by DHCP (RFC 8910).
func (p *Portal) API(w http.ResponseWriter, r *http.Request) {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	w.Header().Set("Content-Type", "application/captive+json")
	w.Header().Set("Cache-Control", "private")
	_ = json.NewEncoder(w).Encode(map[string]any{ // the peer is gone if it fails
		"captive": !p.visits.well(p.cfg.Client(r)), "user-portal-url": scheme + r.Host + p.cfg.BasePath + "/",
	})
}

// Stats returns the counters as they are now.
func (p *Portal) Stats() Stats {
	n, forgotten := p.visits.count()
	return Stats{Asked: p.asked.Load(), Well: p.well.Load(), Addresses: n, Forgotten: forgotten}
}
