package limit

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

var trusted = NewProxies([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48")})

func TestAddr(t *testing.T) {
	same := func(a, b string) bool { return addrOf(netip.MustParseAddr(a)) == addrOf(netip.MustParseAddr(b)) }
	for _, pair := range [][2]string{
		{"192.0.2.1", "::ffff:192.0.2.1"}, {"2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"}, {"fe80::1%eth0", "fe80::2%wlan0"},
	} {
		if !same(pair[0], pair[1]) {
			t.Errorf("%s and %s are not one", pair[0], pair[1])
		}
	}
	for _, pair := range [][2]string{{"192.0.2.1", "192.0.2.2"}, {"2001:db8::1", "2001:db8:0:1::1"}, {"0.0.0.0", "::"}} {
		if same(pair[0], pair[1]) {
			t.Errorf("%s and %s are one", pair[0], pair[1])
		}
	}
	for _, ip := range []string{"0.0.0.0", "::", "127.0.0.1", "::2"} {
		if addrOf(netip.MustParseAddr(ip)) == Exempt {
			t.Errorf("%s is exempt", ip)
		}
	}
	if addrOf(netip.Addr{}) == Exempt {
		t.Error("an address that was not told is exempt")
	}
}

func TestClient(t *testing.T) {
	const usual, standard = "X-Forwarded-For", "Forwarded"
	for _, c := range []struct {
		peer   string
		header []string // name, value, ...
		client string
		exempt bool
	}{
		{"192.0.2.1", nil, "192.0.2.1", false},
		{"127.0.0.1", nil, "127.0.0.1", true},
		{"::1", nil, "::1", true},
		{"::ffff:127.0.0.1", nil, "127.0.0.1", true},
		{"", nil, "invalid IP", true}, // a unix socket
		{"10.1.2.3", nil, "10.1.2.3", true},
		{"::ffff:10.1.2.3", nil, "10.1.2.3", true},
		{"2001:db8:ffff::1", nil, "2001:db8:ffff::1", true},

		// Not trusted: not believed.
		{"192.0.2.1", []string{usual, "192.0.2.9"}, "192.0.2.1", false},
		{"192.0.2.1", []string{usual, "127.0.0.1"}, "192.0.2.1", false},
		{"192.0.2.1", []string{standard, "for=127.0.0.1"}, "192.0.2.1", false},

		// X-Forwarded-For.
		{"10.1.2.3", []string{usual, "192.0.2.9"}, "192.0.2.9", false},
		{"", []string{usual, "192.0.2.9"}, "192.0.2.9", false},
		{"127.0.0.1", []string{usual, " 192.0.2.9\t"}, "192.0.2.9", false},
		{"10.1.2.3", []string{usual, "198.51.100.1, 192.0.2.9"}, "192.0.2.9", false},
		{"10.1.2.3", []string{usual, "192.0.2.9, 10.9.9.9, 127.0.0.1"}, "192.0.2.9", false},
		{"10.1.2.3", []string{usual, "127.0.0.1, 192.0.2.9,10.9.9.9"}, "192.0.2.9", false},
		{"10.1.2.3", []string{usual, "198.51.100.1", usual, "192.0.2.9"}, "192.0.2.9", false},
		{"10.1.2.3", []string{usual, "192.0.2.9", usual, "10.9.9.9"}, "192.0.2.9", false},
		{"10.1.2.3", []string{usual, "10.7.7.7, 10.9.9.9"}, "10.7.7.7", true},
		{"10.1.2.3", []string{usual, "192.0.2.9:4711"}, "192.0.2.9", false},
		{"10.1.2.3", []string{usual, "2001:db8::7"}, "2001:db8::7", false},
		{"10.1.2.3", []string{usual, "[2001:db8::7]"}, "2001:db8::7", false},
		{"10.1.2.3", []string{usual, "[2001:db8::7]:80"}, "2001:db8::7", false},
		{"10.1.2.3", []string{usual, "::ffff:192.0.2.9"}, "192.0.2.9", false},

		// What is no address ends it: the last that is known counts, and nobody is exempt by it.
		{"10.1.2.3", []string{usual, "nonsense"}, "10.1.2.3", false},
		{"10.1.2.3", []string{usual, ""}, "10.1.2.3", false},
		{"10.1.2.3", []string{usual, "192.0.2.9,"}, "10.1.2.3", false},
		{"10.1.2.3", []string{usual, "192.0.2.9, unknown, 10.9.9.9"}, "10.9.9.9", false},
		{"127.0.0.1", []string{usual, "localhost"}, "127.0.0.1", false},
		{"", []string{usual, "[192.0.2.1]"}, "invalid IP", false},
		{"10.1.2.3", []string{usual, strings.Repeat("10.9.9.9,", 100) + "10.9.9.9"}, "10.9.9.9", false},

		// Forwarded.
		{"10.1.2.3", []string{standard, "for=192.0.2.9"}, "192.0.2.9", false},
		{"10.1.2.3", []string{standard, `For="[2001:db8:cafe::17]:4711"`}, "2001:db8:cafe::17", false},
		{"10.1.2.3", []string{standard, "for=192.0.2.9;proto=http;by=203.0.113.43"}, "192.0.2.9", false},
		{"10.1.2.3", []string{standard, `by="a;for=1.1.1.1,for=2.2.2.2" ; FOR = "192.0.2.9:80"`}, "192.0.2.9", false},
		{"10.1.2.3", []string{standard, `for=198.51.100.1, for=192.0.2.9`}, "192.0.2.9", false},
		{"10.1.2.3", []string{standard, `for="x, for=192.0.2.9`}, "192.0.2.9", false},
		{"10.1.2.3", []string{standard, `for=192.0.2.9, for="10.9.9.9"`}, "192.0.2.9", false},
		{"10.1.2.3", []string{standard, "for=unknown"}, "10.1.2.3", false},
		{"10.1.2.3", []string{standard, "for=_hidden, for=10.9.9.9"}, "10.9.9.9", false},
		{"10.1.2.3", []string{standard, "proto=https"}, "10.1.2.3", false},

		// Both: one is the proxy's, and nobody knows which, unless they agree.
		{"10.1.2.3", []string{standard, "for=192.0.2.9", usual, "192.0.2.9"}, "192.0.2.9", false},
		{"10.1.2.3", []string{standard, "for=192.0.2.8", usual, "192.0.2.9"}, "10.1.2.3", false},
		{"10.1.2.3", []string{standard, "for=127.0.0.1", usual, "192.0.2.9"}, "10.1.2.3", false},
		{"10.1.2.3", []string{standard, "for=10.9.9.9", usual, "10.9.9.9"}, "10.9.9.9", true},
	} {
		var peer netip.Addr
		if c.peer != "" {
			peer = netip.MustParseAddr(c.peer)
		}
		h := http.Header{}
		for i := 0; i < len(c.header); i += 2 {
			h.Add(c.header[i], c.header[i+1])
		}
		ip, counts := trusted.Client(peer, h)
		if ip.String() != c.client || (counts == Exempt) != c.exempt {
			t.Errorf("%s with %q: %v, exempt %t; want %s, %t", c.peer, c.header, ip, counts == Exempt, c.client, c.exempt)
		}
		if counts != Exempt && counts != addrOf(ip) {
			t.Errorf("%s with %q: it is %v and counts as another", c.peer, c.header, ip)
		}
	}
	if a := trusted.Peer(netip.MustParseAddr("10.1.2.3")); a != Exempt {
		t.Error("a trusted peer counts")
	}
	if a := (Proxies{}).Peer(netip.MustParseAddr("10.1.2.3")); a == Exempt {
		t.Error("a peer that is not trusted does not count")
	}
}

// FuzzClient: whatever a client sends, what the proxy adds behind it says who the client is; and of who is no
// proxy nothing is believed.
func FuzzClient(f *testing.F) {
	for _, s := range []string{"", "127.0.0.1", `for="`, `for="[::1]";by="`, ",,;;==", `"\"`, "10.0.0.1, 10.0.0.2", "[", "\x00"} {
		f.Add(s, s)
	}
	proxy, client := netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("192.0.2.9")
	six := netip.MustParseAddr("2001:db8::7")
	f.Fuzz(func(t *testing.T, sent, other string) {
		check := func(want netip.Addr, h http.Header) {
			t.Helper()
			if ip, counts := trusted.Client(proxy, h); ip != want || counts != addrOf(want) {
				t.Errorf("%q: %v counts as %x", h, ip, counts)
			}
			if ip, counts := trusted.Client(client, h); ip != client || counts != addrOf(client) {
				t.Errorf("%q from a stranger: %v counts as %x", h, ip, counts)
			}
		}
		check(client, http.Header{"X-Forwarded-For": {sent + ", " + client.String()}})
		check(client, http.Header{"X-Forwarded-For": {sent, client.String()}})
		check(six, http.Header{"X-Forwarded-For": {other, sent + ",[2001:db8::7]:80"}})
		check(client, http.Header{"Forwarded": {sent + ", for=" + client.String()}})
		check(client, http.Header{"Forwarded": {sent, `proto=http;for="192.0.2.9:1"`}})
		check(six, http.Header{"Forwarded": {sent + `,for="[2001:db8::7]:80";by=_x`}})
		for _, h := range []http.Header{{"X-Forwarded-For": {sent}}, {"Forwarded": {sent}}, {"X-Forwarded-For": {sent}, "Forwarded": {other}}} {
			ip, counts := trusted.Client(proxy, h) // whatever it is, it ends
			if counts != Exempt && counts != addrOf(ip) || counts == Exempt && !trusted.Trusts(ip) {
				t.Errorf("%q: %v counts as %x", h, ip, counts)
			}
		}
	})
}
