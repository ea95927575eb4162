// Package web is the browser client: one page with its style and its scripts, embedded, with no build step: the server makes one script of its modules as it is first asked for it. npm holds the
// client's modules, which the page uses, other pages may, and node as a package.
//
// One rule for callers: the handler answers for "/", "/room/NAME", "/assets/", "/edgechat*" and "/qr.svg" with the chat's routes beside
// them, wherever a proxy has them: the page names its parts, and the scripts the chat's routes, relative to themselves. Who may read or write is
// decided on the chat's routes; the page itself holds nothing secret and is served to everyone.
package web

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"edgechat/refusal"
)

// Routes returns the paths that the handler answers for, as the router writes them.
func Routes() []string {
	routes := []string{"/", "/room/:roomId", "/assets/*filepath", "/qr.svg"}
	for name := range read("npm") {
		routes = append(routes, "/"+name)
	}
	return routes
}

// A Config says what the page may be used for. The zero value works.
type Config struct {
	// FrameAncestors are origins whose pages may have this one inside a frame, such as "https://intranet.example"; "*" is
	// all. Default none.
	FrameAncestors []string
	// Nodes returns the origins of other servers to which the page may connect as well, such as "http://cellar.local:3000". It may be called from
	// any goroutine. Default none.
	Nodes func() []string
}

// policy returns the page's Content-Security-Policy: it runs its own scripts and styles and talks to this host and to Config.Nodes,
// nothing else. connect-src names the host's WebSockets since older browsers do not count them as 'self'.
func (h *handler) policy(host string) string {
	var connect strings.Builder
	connect.WriteString("'self'")
	if isHost(host) {
		connect.WriteString(" ws://" + host + " wss://" + host)
	}
	for _, origin := range h.nodes() {
		if scheme, host, ok := strings.Cut(origin, "://"); ok && (scheme == "http" || scheme == "https") && isHost(host) {
			connect.WriteString(" " + origin + " ws" + strings.TrimPrefix(scheme, "http") + "://" + host)
		}
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; manifest-src 'self'; connect-src " + connect.String() +
		"; base-uri 'none'; form-action 'none'; frame-ancestors " + h.ancestors
}

// isHost reports whether a Host header is nothing but one, which a policy can name.
func isHost(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]") == ""
}

// ancestorsOf checks a list of origins for the policy.
func ancestorsOf(origins []string) (string, error) {
	if len(origins) == 0 {
		return "'none'", nil
	}
	var list []string
	for _, s := range origins {
		if err := CheckAncestor(s); err != nil {
			return "", fmt.Errorf("web: frame ancestor %w", err)
		}
		list = append(list, strings.TrimSuffix(s, "/"))
	}
	return strings.Join(list, " "), nil
}

// CheckAncestor returns an error unless s can be one of Config.FrameAncestors.
func CheckAncestor(s string) error {
	u, err := url.Parse(s)
	if s != "*" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || !isHost(u.Host) || strings.TrimSuffix(s, "/") != u.Scheme+"://"+u.Host) {
		return fmt.Errorf("%q is not of the form https://host or https://host:port, nor *", s)
	}
	return nil
}

type handler struct {
	ancestors string
	nodes     func() []string
	files     func() *files // made once, for whoever asks first: they take some 300 KB, and many boards show no page
}

// Handler returns the handler of the page and its parts. It answers GET and HEAD of
// "/", "/room/NAME" for any NAME of one segment, "/assets/FILE", the client's modules such as "/edgechat.js", and "/qr.svg": 405 for
// another method, 404 for another path. It may be called from any goroutine.
func Handler(cfg Config) (http.Handler, error) {
	ancestors, err := ancestorsOf(cfg.FrameAncestors)
	if err != nil {
		return nil, err
	}
	if cfg.Nodes == nil {
		cfg.Nodes = func() []string { return nil }
	}
	return &handler{ancestors: ancestors, nodes: cfg.Nodes, files: sync.OnceValue(load)}, nil
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("X-Content-Type-Options", "nosniff")
	// The address of the page may hold a token, until the page has put it away.
	header.Set("Referrer-Policy", "no-referrer")
	f, ok := h.files().find(r.URL)
	isQR := r.URL.Path == "/qr.svg"
	if !ok && !isQR {
		refusal.New(refusal.NotFound, "no such page; a room is at /room/NAME").Answer(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		refusal.New(refusal.MethodNotAllowed, "a page takes GET and HEAD").With("Allow", "GET, HEAD").Answer(w, r)
		return
	}
	header.Set("Content-Security-Policy", h.policy(r.Host))
	if isQR {
		serveQR(w, r)
		return
	}
	header.Set("Content-Type", f.contentType)
	v := f.plain
	if f.zipped.body != nil && acceptsGzip(r.Header.Values("Accept-Encoding")) {
		v = f.zipped
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("Vary", "Accept-Encoding")
	header.Set("ETag", v.etag)
	if strings.HasPrefix(r.URL.Path, f.forever) && f.forever != "" {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else { // the name stays the same when the file changes, so a browser asks each time; 304 costs little
		header.Set("Cache-Control", "no-cache")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(v.body))
}

// acceptsGzip reports whether one of the header lines names gzip without refusing it
// (RFC 9110, section 12.5.3). Weights are not compared: both forms are at hand.
func acceptsGzip(lines []string) bool {
	for coding := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		name, weight, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q, isWeight := strings.CutPrefix(strings.TrimSpace(weight), "q=")
			return !isWeight || strings.Trim(q, "0.") != ""
		}
	}
	return false
}
