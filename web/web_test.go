package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
)

func get(t *testing.T, method, target string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	handlerOnce().ServeHTTP(w, r)
	return w.Result()
}

var handlerOnce = sync.OnceValue(func() http.Handler {
	h, err := Handler(Config{})
	if err != nil {
		panic(err)
	}
	return h
})

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRoutes(t *testing.T) {
	for _, c := range []struct {
		method, path string
		status       int
		contentType  string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/room/general", 200, "text/html; charset=utf-8"},
		{"GET", "/room/K%C3%BCche?token=x", 200, "text/html; charset=utf-8"},
		{"GET", "/room/a%2Fb", 200, "text/html; charset=utf-8"}, // one segment; the chat's route says what is wrong with the name
		{"GET", "/assets/page.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/edgechat.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/edgechat-room.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/edgechat.d.ts", 200, "text/plain; charset=utf-8"},
		{"GET", "/assets/app.webmanifest", 200, "application/manifest+json"},
		{"GET", "/assets/icon-180.png", 200, "image/png"},
		{"GET", "/package.json", 404, "application/json; charset=utf-8"},
		{"HEAD", "/assets/edgechat-plain.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/assets/style.css", 200, "text/css; charset=utf-8"},
		{"GET", "/assets/icon.svg", 200, "image/svg+xml"},
		{"GET", "/room/", 404, "application/json; charset=utf-8"},
		{"GET", "/room/a/b", 404, "application/json; charset=utf-8"},
		{"GET", "/rooms", 404, "application/json; charset=utf-8"},
		{"GET", "/index.html", 404, "application/json; charset=utf-8"},
		{"GET", "/assets/", 404, "application/json; charset=utf-8"},
		{"GET", "/assets", 404, "application/json; charset=utf-8"},
		{"GET", "/assets/../web.go", 404, "application/json; charset=utf-8"},
		{"GET", "/assets/index.html", 404, "application/json; charset=utf-8"},
		{"POST", "/", 405, "application/json; charset=utf-8"},
		{"DELETE", "/room/general", 405, "application/json; charset=utf-8"},
		{"OPTIONS", "/assets/page.js", 405, "application/json; charset=utf-8"},
		{"POST", "/nowhere", 404, "application/json; charset=utf-8"},
	} {
		res := get(t, c.method, c.path)
		if res.StatusCode != c.status || res.Header.Get("Content-Type") != c.contentType {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, res.StatusCode, res.Header.Get("Content-Type"), c.status, c.contentType)
		}
		if allow := res.Header.Get("Allow"); (c.status == 405) != (allow == "GET, HEAD") {
			t.Errorf("%s %s: %d with Allow %q", c.method, c.path, res.StatusCode, allow)
		}
		if length := len(body(t, res)); (c.method == "HEAD") != (length == 0) {
			t.Errorf("%s %s: a body of %d bytes", c.method, c.path, length)
		}
		for header, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
			if got := res.Header.Get(header); got != want {
				t.Errorf("%s %s: %s %q, want %q", c.method, c.path, header, got, want)
			}
		}
		if c.status != 200 && res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: a refusal with Cache-Control %q", c.method, c.path, res.Header.Get("Cache-Control"))
		}
		if c.status == 200 && res.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s %s: Cache-Control %q", c.method, c.path, res.Header.Get("Cache-Control"))
		}
	}
}

func TestNotModified(t *testing.T) {
	tags := map[string]string{}
	for _, p := range []string{"/", "/assets/page.js", "/assets/style.css"} {
		first := get(t, "GET", p)
		tag := first.Header.Get("ETag")
		if len(tag) < 10 || tag[0] != '"' {
			t.Fatalf("%s: ETag %s", p, tag)
		}
		if other := tags[tag]; other != "" {
			t.Errorf("%s and %s have the same ETag", p, other)
		}
		tags[tag] = p
		if again := get(t, "GET", p, "If-None-Match", tag); again.StatusCode != http.StatusNotModified || body(t, again) != "" {
			t.Errorf("%s with its own ETag: %d, want 304 without a body", p, again.StatusCode)
		}
		if stale := get(t, "GET", p, "If-None-Match", `"0000"`); stale.StatusCode != http.StatusOK {
			t.Errorf("%s with a stale ETag: %d, want 200", p, stale.StatusCode)
		}
	}
	if room, other := get(t, "GET", "/room/x").Header.Get("ETag"), get(t, "GET", "/room/y").Header.Get("ETag"); room != other {
		t.Errorf("the page has ETag %s in one room and %s in another", room, other)
	}
}

func TestCompression(t *testing.T) {
	for _, c := range []struct {
		accept string
		want   bool
	}{
		{"", false}, {"gzip", true}, {"deflate, gzip;q=0.5, br", true}, {"GZIP", true}, {"br", false},
		{"gzip;q=0", false}, {"gzip; q=0.000, br", false}, {"x-gzip-not", false},
	} {
		plain := body(t, get(t, "GET", "/assets/page.js"))
		res := get(t, "GET", "/assets/page.js", "Accept-Encoding", c.accept)
		if got := res.Header.Get("Content-Encoding") == "gzip"; got != c.want {
			t.Errorf("Accept-Encoding %q: compressed is %v, want %v", c.accept, got, c.want)
			continue
		}
		if res.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("Accept-Encoding %q: Vary %q", c.accept, res.Header.Get("Vary"))
		}
		if !c.want {
			continue
		}
		if res.Header.Get("ETag") == get(t, "GET", "/assets/page.js").Header.Get("ETag") {
			t.Error("both forms have the same ETag, and a cache would mix them up")
		}
		z, err := gzip.NewReader(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if unpacked, err := io.ReadAll(z); err != nil || string(unpacked) != plain {
			t.Errorf("unpacked it is %d bytes (%v), want the %d of the plain form", len(unpacked), err, len(plain))
		}
	}
}

// The policy lets nothing in but this host's files, and the page needs nothing else: no
// script, style or handler inside the markup, no address of another host.
func TestPolicy(t *testing.T) {
	page := get(t, "GET", "/")
	policy := page.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "connect-src 'self' ws://example.com wss://example.com;", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy lacks %s: %s", want, policy)
		}
	}
	for _, never := range []string{"unsafe", "*", "data:", "https:"} {
		if strings.Contains(policy, never) {
			t.Errorf("the policy has %s: %s", never, policy)
		}
	}
	html := body(t, page)
	for _, re := range []string{`<script[^>]*>[^<]`, `<style`, `\sstyle=`, `\son[a-z]+=`, `(src|href)="(https?:)?//`} {
		if found := regexp.MustCompile(re).FindString(html); found != "" {
			t.Errorf("the page has %q, which its policy refuses", found)
		}
	}
	for _, at := range []string{"/", "/room/den"} {
		links := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(body(t, get(t, "GET", at)), -1)
		if len(links) < 4 {
			t.Errorf("%s: %d links", at, len(links))
		}
		for _, m := range links {
			if strings.HasPrefix(m[1], "/") {
				t.Errorf("%s names %s, which is somewhere else below a path", at, m[1])
			}
			to, err := (&url.URL{Path: at}).Parse(m[1])
			if err != nil {
				t.Fatal(err)
			}
			if res := get(t, "GET", to.Path); res.StatusCode != 200 {
				t.Errorf("%s names %s: %d", at, m[1], res.StatusCode)
			}
		}
	}
}

// A host that is none gets no place in the policy, and frames have to be allowed.
func TestPolicyOf(t *testing.T) {
	for host, want := range map[string]string{"pi.local:3000": "'self' ws://pi.local:3000 wss://pi.local:3000", "[::1]:3000": "'self' ws://[::1]:3000 wss://[::1]:3000", "a;b": "'self'", "*": "'self'", "": "'self'"} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		h, err := Handler(Config{FrameAncestors: []string{"https://intranet.example/", "http://pi.local:8080"}})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "connect-src "+want+";") || !strings.HasSuffix(policy, "; frame-ancestors https://intranet.example http://pi.local:8080") {
			t.Errorf("Host %q: %s", host, policy)
		}
	}
	for _, bad := range []string{"", "intranet.example", "https://a/b", "https://a b", "ftp://a", "https://*.example", "'self'", "https://a;b"} {
		if _, err := Handler(Config{FrameAncestors: []string{bad}}); err == nil {
			t.Errorf("frame ancestor %q is taken", bad)
		}
	}
}

func TestQR(t *testing.T) {
	res := get(t, "GET", "/qr.svg?text="+url.QueryEscape("http://192.168.1.5:3000/room/family"))
	svg := body(t, res)
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(svg, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 37 37"`) {
		t.Errorf("%d %s %.200s", res.StatusCode, res.Header.Get("Content-Type"), svg)
	}
	if !strings.Contains(svg, "M4 4h7v1h-7z") {
		t.Error("the upper edge of the first finder pattern is not there")
	}
	for _, bad := range []string{"", "javascript:alert(1)", "192.168.1.5", "http://", "http://a/" + strings.Repeat("x", 300), "\x00"} {
		if res := get(t, "GET", "/qr.svg?text="+url.QueryEscape(bad)); res.StatusCode != 400 {
			t.Errorf("text %q: %d, want 400", bad, res.StatusCode)
		}
	}
	if res := get(t, "POST", "/qr.svg?text=http://a"); res.StatusCode != 405 {
		t.Errorf("POST: %d", res.StatusCode)
	}
}
