package browser

import (
	"net/http"
	"strings"
	"testing"

	"edgechat/refusal"
)

func TestOrigins(t *testing.T) {
	const own = "127.0.0.1:3000"
	named := Config{Origins: []string{"https://Chat.example:443", "http://app.example:8080/"}}
	devices := Config{Origins: []string{"null", "file://", "capacitor://localhost"}}
	for _, test := range []struct {
		origin               string
		none, named, devices bool
	}{
		{"http://" + own, true, true, true}, {"https://" + own, true, true, true}, {"HTTP://" + own, true, true, true},
		{"https://chat.example", false, true, false}, {"http://app.example:8080", false, true, false}, {"https://CHAT.example:443", false, true, false},
		{"http://chat.example", false, false, false}, {"http://app.example", false, false, false}, {"http://evil.example", false, false, false},
		{"http://127.0.0.1", false, false, false}, {"http://" + own + ".evil.example", false, false, false}, {"", false, false, false},
		{"null", false, false, true}, {"file://", false, false, true}, {"capacitor://localhost", false, false, true}, {"*", false, false, false},
		{"app://" + own, true, true, true}, // another scheme at the same host and port: what a proxy hides
	} {
		for _, c := range []struct {
			name string
			cfg  Config
			want bool
		}{{"none", Config{}, test.none}, {"named", named, test.named}, {"devices", devices, test.devices}, {"all", Config{Origins: []string{"https://a.example", "*"}}, true}} {
			code, message, h := check(t, c.cfg, own, "Origin", test.origin)
			if (code == "") != c.want || code != "" && code != refusal.OriginNotAllowed {
				t.Errorf("Origin %q with %s allowed: %q, want let in: %v", test.origin, c.name, code, c.want)
			}
			if code != "" && (!strings.Contains(message, "--allowed-origins") || !strings.Contains(message, own) || !strings.Contains(message, test.origin)) {
				t.Errorf("Origin %q: %s", test.origin, message)
			}
			if h.Get("Vary") != "Origin" {
				t.Errorf("Origin %q: Vary is %q", test.origin, h.Get("Vary"))
			}
		}
	}
	if code, _, _ := check(t, named, own, "Origin", "https://chat.example", "Origin", "http://"+own); code == "" {
		t.Error("two origins are let in, which no browser sends")
	}
	if code, _, h := check(t, Config{}, own); code != "" || h.Get("Vary") != "" {
		t.Errorf("a program: %q, %v", code, h)
	}
}

// TestCORS: a page that may use the server may read what it gets, and no other.
func TestCORS(t *testing.T) {
	cfg := Config{Origins: []string{"https://chat.example", "null"}}
	for origin, want := range map[string]string{"https://chat.example": "https://chat.example", "null": "null", "https://evil.example": "", "http://pi.local": ""} {
		_, _, h := check(t, cfg, "pi.local", "Origin", origin)
		if got := h.Get("Access-Control-Allow-Origin"); got != want {
			t.Errorf("Origin %s: Access-Control-Allow-Origin %q", origin, got)
		}
		if exposed := h.Get("Access-Control-Expose-Headers"); (want != "") != strings.Contains(exposed, "Retry-After") {
			t.Errorf("Origin %s: exposed %q", origin, exposed)
		}
		if policy := h.Get("Cross-Origin-Resource-Policy"); (policy == "cross-origin") != (want != "") {
			t.Errorf("Origin %s: Cross-Origin-Resource-Policy %q", origin, policy)
		}
		if h.Get("Access-Control-Allow-Methods") != "" || h.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("Origin %s: %v", origin, h)
		}
	}
	_, _, h := check(t, cfg, "pi.local", "method", http.MethodOptions, "Origin", "https://chat.example", "Access-Control-Request-Method", "PATCH")
	for header, want := range map[string]string{"Access-Control-Allow-Methods": "PATCH", "Access-Control-Allow-Headers": "Idempotency-Key", "Access-Control-Max-Age": "600"} {
		if !strings.Contains(h.Get(header), want) {
			t.Errorf("preflight: %s is %q", header, h.Get(header))
		}
	}
	if _, _, h := check(t, Config{Origins: []string{"*"}}, "pi.local", "Origin", "https://evil.example"); h.Get("Access-Control-Allow-Origin") != "https://evil.example" {
		t.Errorf("every page allowed: %v", h)
	}
	if _, _, h := check(t, cfg, "pi.local"); h.Get("Vary") != "Origin" {
		t.Errorf("without Origin a cache does not learn that answers differ: %v", h)
	}
}

func TestParseOrigin(t *testing.T) {
	for in, want := range map[string]string{
		"https://chat.example": "https://chat.example", "https://Chat.Example:443/": "https://chat.example", "http://pi.local:80": "http://pi.local", "http://pi.local:0080": "http://pi.local",
		"http://pi.local:443": "http://pi.local:443", "https://pi:80": "https://pi:80", "http://[FE80::1]:3000": "http://[fe80::1]:3000", "http://[::1]:80": "http://[::1]",
		"*": "*", "null": "null", "file://": "file://", "file:///": "file://", "capacitor://localhost": "capacitor://localhost", "chrome-extension://abcdef": "chrome-extension://abcdef",
	} {
		if got, err := ParseOrigin(in); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"": "not of the form", "chat.example": "not of the form", "https://": "not of the form", "https://a/b": "no path", "https://a?b": "no path", "https://a#b": "no path",
		"https://%zz": "not of the form", "**": "not of the form", "http://*.local": "matches nothing", "https://u@a": "has a user", "https://bücher.example": "xn--", "https://a:99999": "65535",
		"//a": "not of the form", "http:a": "not of the form",
	} {
		if _, err := ParseOrigin(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
		if _, err := New(Config{Origins: []string{in}}); err == nil {
			t.Errorf("New takes origin %q", in)
		}
	}
}

// FuzzOrigin: what is parsed stays as it is when it is parsed again, as a browser would send it.
func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"https://Chat.Example:443/", "null", "file://", "http://[::1]:80", "http://*.local"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		origin, err := ParseOrigin(s)
		if err != nil {
			return
		}
		if again, err := ParseOrigin(origin); err != nil || again != origin {
			t.Errorf("%q is %q, and that is %q, %v", s, origin, again, err)
		}
	})
}
