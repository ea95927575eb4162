package browser

import "testing"

func TestParseAddress(t *testing.T) {
	for in, want := range map[string][2]string{
		"http://attic.local:3000":        {"http://attic.local:3000", "http://attic.local:3000"},
		"WS://Attic.Local.:80/":          {"http://attic.local", "http://attic.local"},
		"wss://chat.example:443/a/b//":   {"https://chat.example/a/b", "https://chat.example"},
		"https://[2001:DB8::1]:8443":     {"https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"},
		"https://chat.example/caf%C3%A9": {"https://chat.example/caf%C3%A9", "https://chat.example"},
	} {
		if address, origin, err := ParseAddress(in); err != nil || address != want[0] || origin != want[1] {
			t.Errorf("%s: %s, %s, %v", in, address, origin, err)
		}
	}
	for _, in := range []string{"", "chat.example", "//chat.example", "http://", "javascript:x", "file:///x", "http://u@h", "http://h?", "http://h/?x", "http://h/#x", "http://h/a/../b",
		"http://h/a//b", "http://h/.", "http://bücher.example", "http://[fe80::1%25eth0]", "http://h:99999", "http://h;x", "http://h'x"} {
		if address, origin, err := ParseAddress(in); err == nil {
			t.Errorf("%s passes as %s, %s", in, address, origin)
		}
	}
}

// Pages of other servers of ours are let in as those of --allowed-origins are, and no others.
func TestPeers(t *testing.T) {
	cfg := Config{Peers: func(origin string) bool { return origin == "https://chat.example" }}
	if code, _, h := check(t, cfg, "pi.local", "Origin", "https://chat.example"); code != "" || h.Get("Access-Control-Allow-Origin") != "https://chat.example" || h.Get("Vary") != "Origin" {
		t.Errorf("%q %v", code, h)
	}
	if code, _, h := check(t, cfg, "pi.local"); code != "" || h.Get("Vary") != "Origin" {
		t.Errorf("a request of no page: %q %v", code, h)
	}
	for _, origin := range []string{"http://chat.example", "https://evil.example", "null", "*"} {
		if code, _, _ := check(t, cfg, "pi.local", "Origin", origin); code == "" {
			t.Errorf("%s is let in", origin)
		}
	}
	if code, _, _ := check(t, cfg, "chat.example", "Origin", "https://chat.example"); code == "" {
		t.Error("a page's origin lets in its host")
	}
	p, err := New(Config{Hosts: []string{"chat.example"}})
	if err != nil || !p.Names("https://chat.example/x") || !p.Names("http://pi.local:3000") || p.Names("https://other.example") {
		t.Error("Names", err)
	}
}
