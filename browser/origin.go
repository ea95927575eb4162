package browser

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"edgechat/refusal"
)

// opaque are origins without a host that browsers and devices send.
const (
	nullOrigin = "null"    // a page in a sandbox, from a file, or behind a redirect (RFC 6454 section 7)
	fileOrigin = "file://" // some libraries of devices, and of apps
)

// ParseOrigin returns an origin of --allowed-origins as browsers send it: "https://chat.example", "http://pi.local:8080", of an
// app's own scheme such as "capacitor://localhost", "null", or "file://". "*" is every origin. A slash at the end is
// left out. What no browser can send is an error that says why.
func ParseOrigin(s string) (string, error) {
	switch s {
	case anything, nullOrigin, fileOrigin:
		return s, nil
	case "file:///":
		return fileOrigin, nil
	}
	wrong := func(why string) (string, error) {
		return "", fmt.Errorf("%q %s", s, why)
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme == "" || u.Host == "":
		return wrong("is not of the form https://host or https://host:port, nor null or file://")
	case strings.TrimSuffix(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return wrong("has more than a scheme and a host: an origin has no path")
	case u.User != nil:
		return wrong("has a user: an origin has none")
	case strings.Contains(u.Host, "*"):
		return wrong("matches nothing: origins are compared whole; write each, or * for all")
	}
	origin, ok := originOf(u)
	if !ok {
		return wrong("has a host that no browser sends: others than ASCII are xn--..., a port is at most 65535")
	}
	return origin, nil
}

// originOf returns the origin of u as a browser spells it (RFC 6454 section 6.2): in lower case, without the scheme's
// own port.
func originOf(u *url.URL) (string, bool) {
	scheme := strings.ToLower(u.Scheme)
	authority, ok := authorityOf(u.Host, scheme)
	return scheme + "://" + authority, ok
}

// authorityOf returns host and port as they stand in an origin.
func authorityOf(host, scheme string) (string, bool) {
	name, port, ok := splitHost(host)
	if !ok {
		return "", false
	}
	if ip, err := netip.ParseAddr(name); err == nil && ip.Is6() {
		name = "[" + ip.String() + "]"
	}
	if n, err := strconv.Atoi(port); err == nil && !(scheme == "http" && n == 80 || scheme == "https" && n == 443) {
		name += ":" + strconv.Itoa(n)
	}
	return name, true
}

// checkOrigin keeps out pages from elsewhere that use a visitor's browser to talk to this server (RFC 6455 section 10.2; for
// HTTP, CSRF), and has those that may read what they get (Fetch, "CORS protocol"). Browsers name the page's origin with
// all that can change something; what names none is no page, or reads what it will not see. A page that was loaded from the same host
// and port may: behind a proxy that does TLS the scheme is not known.
func (p *Policy) checkOrigin(h http.Header, r *http.Request) error {
	values := r.Header.Values("Origin")
	if len(values) == 0 {
		if len(p.origins) > 0 || p.peers != nil {
			h.Add("Vary", "Origin") // or a cache gives a page an answer without what lets it read it
		}
		return nil
	}
	h.Add("Vary", "Origin")
	origin := values[0]
	if len(values) == 1 && p.originAllowed(origin) {
		p.letRead(h, r, origin)
		return nil
	}
	if u, err := url.Parse(origin); len(values) == 1 && err == nil && u.Host != "" {
		page, ok := authorityOf(u.Host, strings.ToLower(u.Scheme))
		own, has := authorityOf(r.Host, strings.ToLower(u.Scheme))
		if ok && has && (page == own || p.besides(u, r.Host)) {
			return nil
		}
	}
	return refusal.Errorf(refusal.OriginNotAllowed, "pages of %q may not use this server, which they reach as %q: --allowed-origins %s lets them", clip(strings.Join(values, ", ")), clip(r.Host), allowedValue(origin))
}

// besides reports whether the page u comes from this server, which the request reaches as host, on another of its ports.
func (p *Policy) besides(u *url.URL, host string) bool {
	scheme := strings.ToLower(u.Scheme)
	page, port, ok := splitHost(u.Host)
	own, _, has := splitHost(host)
	if !ok || !has || page != own || scheme != "http" && scheme != "https" {
		return false
	}
	n, err := strconv.Atoi(port)
	if port == "" {
		n, err = map[string]int{"http": 80, "https": 443}[scheme], nil
	}
	return err == nil && slices.Contains(p.ports, n)
}

func (p *Policy) originAllowed(origin string) bool {
	if p.anyOrigins || p.origins[origin] {
		return true
	}
	if len(p.origins) == 0 && p.peers == nil {
		return false
	}
	parsed, err := ParseOrigin(origin) // a browser spells it so already
	return err == nil && parsed != anything && (p.origins[parsed] || p.peers != nil && p.peers(parsed))
}

// What pages from elsewhere may send, and may read, besides what needs no permission.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsHeaders = "Author-Key, Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
	corsExposed = "Retry-After, WWW-Authenticate, Allow, Edgechat-Recovered"
	corsMaxAge  = "600" // seconds in which a browser does not ask again
)

// letRead has the browser show the answer to a page of origin, and says to a preflight what may be sent. Nothing a browser adds by
// itself counts here: there are no cookies, and a page has to know the token.
func (p *Policy) letRead(h http.Header, r *http.Request, origin string) {
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", corsExposed)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
		h.Set("Access-Control-Allow-Methods", corsMethods)
		h.Set("Access-Control-Allow-Headers", corsHeaders)
		h.Set("Access-Control-Max-Age", corsMaxAge)
	}
}

// allowedValue is what to write for origin behind --allowed-origins.
func allowedValue(origin string) string {
	if parsed, err := ParseOrigin(origin); err == nil && parsed != anything {
		return parsed
	}
	return "ORIGIN"
}
