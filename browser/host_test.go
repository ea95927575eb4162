package browser

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"edgechat/refusal"
)

// check returns the code with which a request is refused, "" if it is not, and the headers of its answer.
func check(t *testing.T, cfg Config, host string, headers ...string) (refusal.Code, string, http.Header) {
	t.Helper()
	if cfg.Hostname == "" {
		cfg.Hostname = "Attic.Example"
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/chat/rooms", nil)
	r.Host = host
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "method" {
			r.Method = headers[i+1]
			continue
		}
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	err = p.Check(w, r)
	if e, ok := errors.AsType[*refusal.Error](err); ok {
		return e.Code, e.Message, w.Header()
	}
	if err != nil {
		t.Fatal(err)
	}
	return "", "", w.Header()
}

func TestHosts(t *testing.T) {
	allowed := Config{Hosts: []string{"Chat.Example.", "10.0.0.1", "[::1]"}}
	for host, want := range map[string][2]bool{ // without a setting, and with allowed
		"": {true, true}, "192.168.1.5": {true, true}, "192.168.1.5:3000": {true, true}, "[fe80::1]:3000": {true, true}, "[::1]": {true, true},
		"localhost:3000": {true, true}, "a.localhost": {true, true}, "LOCALHOST": {true, true}, "pi": {true, true}, "pi:3000": {true, true},
		"pi.local": {true, true}, "Pi.Local.:3000": {true, true}, "a.b.local": {true, true}, "attic.example": {true, true}, "ATTIC.example.:80": {true, true},
		"chat.example": {false, true}, "chat.example:8443": {false, true}, "CHAT.example.": {false, true},
		"evil.example": {false, false}, "evil.example:3000": {false, false}, "pi.local.evil.example": {false, false}, "local.example": {false, false},
		"192.168.1.5.nip.example": {false, false}, "xn--bcher-kva.example": {false, false}, "sub.chat.example": {false, false},
		"a b.local": {false, false}, "pi.local/x": {false, false}, "[pi].local": {false, false}, "[::1": {false, false}, "[1.2.3.4]": {false, false}, "[::1]x": {false, false},
		"pi:http": {false, false}, "pi:99999": {false, false}, "user@pi": {false, false}, "::1": {false, false}, ".local": {false, false}, "a..local": {false, false}, "püppi": {false, false}, ".": {false, false},
	} {
		for i, cfg := range []Config{{}, allowed} {
			code, message, h := check(t, cfg, host)
			if (code == "") != want[i] || code != "" && code != refusal.Misdirected {
				t.Errorf("Host %q: %q, want let in: %v", host, code, want[i])
			}
			if code != "" && (!strings.Contains(message, "--allowed-hosts") || strings.ContainsAny(host, ".") && len(host) > 1 && !strings.Contains(message, host[:2])) {
				t.Errorf("Host %q: %s", host, message)
			}
			if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cross-Origin-Resource-Policy") != "same-origin" {
				t.Errorf("Host %q: headers %v", host, h)
			}
		}
		if code, _, _ := check(t, Config{Hosts: []string{"*"}}, host); code != "" {
			t.Errorf("Host %q with every name allowed: %s", host, code)
		}
	}
	if _, message, _ := check(t, Config{}, strings.Repeat("x.", 5000)); len(message) > 1000 {
		t.Errorf("a long Host is quoted in %d bytes", len(message))
	}
}

func TestParseHost(t *testing.T) {
	for in, want := range map[string]string{"chat.example": "chat.example", "Chat.Example.": "chat.example", "*": "*", "[::1]": "::1", "10.0.0.1": "10.0.0.1"} {
		if got, err := ParseHost(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for in, want := range map[string]string{
		"": "is not a name", "https://chat.example": "address of a page", "chat.example:443": "has a port: write chat.example", "*.example": "matches nothing",
		"bücher.example": "xn--", "a b": "is not a name", "chat.example/": "is not a name",
	} {
		if _, err := ParseHost(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
		if _, err := New(Config{Hosts: []string{in}}); err == nil {
			t.Errorf("New takes host %q", in)
		}
	}
}

// TestIsolation: a browser heeds Cross-Origin-Opener-Policy from trustworthy origins alone, and complains elsewhere.
func TestIsolation(t *testing.T) {
	for host, want := range map[string]string{"localhost:3000": "same-origin", "127.0.0.1": "same-origin", "[::1]:3000": "same-origin", "pi.local": "", "192.168.1.5": ""} {
		if _, _, h := check(t, Config{}, host); h.Get("Cross-Origin-Opener-Policy") != want {
			t.Errorf("Host %q: %v", host, h)
		}
	}
}

// FuzzHost: no Host header is let in that a URL could not name, whatever it is.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"pi.local:3000", "[::1]:3000", "evil.example", "a..b", "0..", "[::1]x", "10.0.0.1"} {
		f.Add(s)
	}
	p, err := New(Config{Hostname: "pi", Hosts: []string{"chat.example"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, host string) {
		name, port, ok := splitHost(host)
		if p.hostAllowed(host) && host != "" && !ok {
			t.Errorf("%q is let in and is none", host)
		}
		if !ok {
			return
		}
		if again, _, ok := splitHost(name); !strings.Contains(name, ":") && (!ok || again != name) {
			t.Errorf("%q: name %q becomes %q", host, name, again)
		}
		if strings.ContainsAny(name, " /@;,*\"'<>") || strings.Trim(port, "0123456789") != "" {
			t.Errorf("%q: %q, %q", host, name, port)
		}
	})
}
