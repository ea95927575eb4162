// Package trust is the page /trust: it tells whether a browser trusts the server's certificate, and how it learns to.
//
// One rule for callers: the handler answers for "/trust", "/trust/page.css" and "/trust/page.js"; what the page asks
// for besides, "/trust/status", "/trust/ca.crt" and the WebSocket "/trust/test", is beside it.
package trust

import (
	"bytes"
	"embed"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed static
var static embed.FS

var files = map[string]struct{ name, contentType string }{
	"/trust":          {"page.html", "text/html; charset=utf-8"},
	"/trust/page.css": {"page.css", "text/css; charset=utf-8"},
	"/trust/page.js":  {"page.js", "text/javascript; charset=utf-8"},
}

// Routes are the paths of the handler.
func Routes() []string { return []string{"/trust", "/trust/page.css", "/trust/page.js"} }

// Handler returns the handler of the page. ports are those of this host where TLS is spoken: the page's policy lets it open
// a WebSocket there, and to nobody else. It takes GET and HEAD, and is for Routes alone.
func Handler(ports []int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := files[r.URL.Path]
		p, err := static.ReadFile("static/" + f.name)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.contentType)
		h.Set("Cache-Control", "no-cache")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"+sources(r.Host, ports)+
			"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(p))
	})
}

// sources names the WebSockets over TLS of a host, which a policy can.
func sources(host string, ports []int) (list string) {
	if strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]") != "" {
		return ""
	}
	name := host
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		name = host[:i]
	}
	for _, port := range ports {
		list += " wss://" + name + ":" + strconv.Itoa(port)
	}
	return list
}
