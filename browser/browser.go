// Package browser decides what web pages may do with this server: under which names it is
// theirs to reach, which pages from elsewhere may talk to it, and what a browser is told of that.
//
// Programs that are no browsers are not its business: they can send any header they like, and what they
// may do is decided by their token. A browser sends Host and Origin as they are, whatever the page
// wants; so these tell a page from another.
//
// One rule for callers: [Policy.Check] comes first, on every path, since a name that is not this
// server's makes everything behind it somebody else's.
package browser

import (
	"fmt"
	"net/http"
	"os"
	"strings"

	"edgechat/refusal"
)

// A Config says which names and pages are let in. The zero value lets in the names of a machine on a local
// network, and pages that were loaded from this server.
type Config struct {
	// Hosts are names under which the server is reached besides those of [Policy.CheckHost], as ParseHost takes them.
	Hosts []string
	// Origins are web pages that may use the server besides its own, as ParseOrigin takes them.
	Origins []string
	// Ports are those on which the server is reached without a proxy: a page from one of them is its own on the others, as one over
	// HTTP is that connects with wss://. Default none.
	Ports []int
	// Peers reports whether an origin is that of another server of ours, whose pages may use this one too. It may be called from any
	// goroutine. Default none.
	Peers func(origin string) bool
	// Hostname is the machine's own name. Default os.Hostname.
	Hostname string
}

// A Policy is what a Config comes to. It never changes: any number of goroutines may use it.
type Policy struct {
	hosts      map[string]bool // without port, in lower case
	anyHost    bool
	origins    map[string]bool // as browsers spell them
	ports      []int
	anyOrigins bool
	peers      func(origin string) bool // nil is none
}

// New returns the policy of cfg. The error names a value that can match nothing.
func New(cfg Config) (*Policy, error) {
	p := &Policy{hosts: map[string]bool{}, origins: map[string]bool{}, ports: cfg.Ports, peers: cfg.Peers}
	if cfg.Hostname == "" {
		cfg.Hostname, _ = os.Hostname() // one that is not known is not let in by name
	}
	if name := strings.ToLower(cfg.Hostname); name != "" {
		p.hosts[name] = true
	}
	for _, s := range cfg.Hosts {
		name, err := ParseHost(s)
		if err != nil {
			return nil, fmt.Errorf("browser: allowed host %w", err)
		}
		p.hosts[name], p.anyHost = true, p.anyHost || name == anything
	}
	for _, s := range cfg.Origins {
		origin, err := ParseOrigin(s)
		if err != nil {
			return nil, fmt.Errorf("browser: allowed origin %w", err)
		}
		p.origins[origin], p.anyOrigins = true, p.anyOrigins || origin == anything
	}
	return p, nil
}

// anything, in a list of names or of origins, lets in all of them.
const anything = "*"

// Check sets the headers that every answer has, and returns the *refusal.Error for a request that comes under
// a name that is not this server's, or from a page that may not.
func (p *Policy) Check(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	// What is served here is for its own pages and for those that CORS lets read it: no page can have it as a
	// picture, a script or a frame of its own (Fetch, "Cross-Origin-Resource-Policy").
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	if !p.hostAllowed(r.Host) {
		return refusal.Errorf(refusal.Misdirected, "this server is not %q: use its address or its name with .local; --allowed-hosts %s lets it be reached so", clip(r.Host), flagValue(r.Host))
	}
	if isolates(r) {
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	return p.checkOrigin(h, r)
}

// isolates reports whether a browser heeds Cross-Origin-Opener-Policy: from others than trustworthy origins it does
// not, and says so among the errors of the page (HTML, "cross-origin opener policies").
func isolates(r *http.Request) bool {
	name, _, _ := splitHost(r.Host)
	return r.TLS != nil || name == "localhost" || strings.HasSuffix(name, ".localhost") || isLoopback(name)
}

// clip shortens what a client sent, to quote it.
func clip(s string) string {
	const most = 200
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}
