package captive

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const elsewhere = "what is behind it"

// A board is a Portal as a phone at an address sees it.
type board struct {
	*Portal
	t       *testing.T
	handler http.Handler
	local   net.Addr
}

func newBoard(t *testing.T, cfg Config) *board {
	t.Helper()
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, elsewhere) })
	return &board{Portal: p, t: t, handler: p.Wrap(next), local: &net.TCPAddr{IP: net.IPv4(10, 42, 0, 1), Port: 80}}
}

func (b *board) request(from, method, url string) *http.Request {
	r := httptest.NewRequest(method, url, nil)
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(from), 4711).String()
	return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, b.local))
}

func (b *board) ask(from, method, url string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, b.request(from, method, url))
	return w
}

// asked fails the test unless the probe is answered with the page.
func (b *board) asked(from string, p *probe) {
	b.t.Helper()
	if w := b.ask(from, "GET", "http://"+p.host+p.path); w.Code != 302 || w.Header().Get("Location") != "http://10.42.0.1/" || !strings.Contains(w.Body.String(), `href="http://10.42.0.1/"`) {
		b.t.Errorf("%s%s for %s: %d %v %s", p.host, p.path, from, w.Code, w.Header(), w.Body)
	}
}

// told fails the test unless it is told that all is well.
func (b *board) told(from string, p *probe) {
	b.t.Helper()
	w := b.ask(from, "GET", "http://"+p.host+p.path)
	media, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	if w.Code != p.status || w.Body.String() != p.body || media != p.contentType || w.Header().Get("Location") != "" || w.Header().Get("Cache-Control") != "no-store" {
		b.t.Errorf("%s%s for %s: %d %v %s", p.host, p.path, from, w.Code, w.Header(), w.Body)
	}
	if online := w.Header().Get("X-NetworkManager-Status") == "online"; online != p.manager {
		b.t.Errorf("%s: %v", p.host, w.Header())
	}
}

// TestProbes: each is sent to the page until its address was in the chat, and told what its maker's server would say from then on.
func TestProbes(t *testing.T) {
	b := newBoard(t, Config{})
	for i := range probes {
		p, phone := &probes[i], fmt.Sprintf("10.42.0.%d", 10+i)
		b.asked(phone, p)
		b.Note(b.request(phone, "GET", "http://10.42.0.1/")) // which what asks may have followed by itself
		b.asked(phone, p)
		b.Note(b.request(phone, "GET", "http://10.42.0.1/chat/rooms"))
		b.told(phone, p)
		if w := b.ask(phone, "HEAD", "http://"+p.host+p.path); w.Code != p.status || w.Body.Len() > 0 {
			t.Errorf("HEAD %s: %d %s", p.host, w.Code, w.Body)
		}
	}
	if s, n := b.Stats(), len(probes); s != (Stats{Asked: uint64(2 * n), Well: uint64(2 * n), Addresses: n}) {
		t.Errorf("%+v", s)
	}
}

// TestOthers: a name, a path or a way of asking that is no probe's is left to the server.
func TestOthers(t *testing.T) {
	b := newBoard(t, Config{})
	b.Note(b.request("10.42.0.9", "GET", "http://10.42.0.1/chat/rooms"))
	for _, phone := range []string{"10.42.0.9", "10.42.0.10"} {
		for _, c := range []struct{ method, url string }{
			{"GET", "http://evil.example/generate_204"}, {"GET", "http://www.google.com/"}, {"GET", "http://www.apple.com/"}, {"GET", "http://www.google.com/generate_204x"},
			{"GET", "http://captive.apple.com.evil.example/hotspot-detect.html"}, {"GET", "http://xcaptive.apple.com/hotspot-detect.html"}, {"GET", "http://10.42.0.1/generate_204"},
			{"POST", "http://captive.apple.com/hotspot-detect.html"}, {"OPTIONS", "http://captive.apple.com/hotspot-detect.html"}, {"GET", "http://captive.apple.com:3000/hotspot-detect.html"},
		} {
			if w := b.ask(phone, c.method, c.url); w.Body.String() != elsewhere {
				t.Errorf("%s %s: %d %s", c.method, c.url, w.Code, w.Body)
			}
		}
		for _, change := range []func(*http.Request){
			func(r *http.Request) { r.TLS = new(tls.ConnectionState) },
			func(r *http.Request) { r.Header.Set("Upgrade", "websocket") },
		} {
			r, w := b.request(phone, "GET", "http://captive.apple.com/"), httptest.NewRecorder()
			change(r)
			if b.handler.ServeHTTP(w, r); w.Body.String() != elsewhere {
				t.Errorf("%v: %d %s", r, w.Code, w.Body)
			}
		}
		// On a host of probes alone each path leads to the page, whatever it is told.
		for _, url := range []string{"http://www.msftconnecttest.com/redirect", "http://captive.apple.com/chat/rooms", "http://CAPTIVE.apple.com.:80/room/den"} {
			if w := b.ask(phone, "GET", url); w.Code != 302 || w.Header().Get("Location") != "http://10.42.0.1/" {
				t.Errorf("%s: %d %v", url, w.Code, w.Header())
			}
		}
	}
}

// TestTimes: who has the page, and is not in the chat, is told after Delay; and all of them for Time after they were last heard of.
func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(t, Config{Delay: 10 * time.Second, Time: time.Hour, BasePath: "/talk"})
		apple, android := &probes[0], &probes[3]
		b.Note(b.request("10.42.0.9", "GET", "http://10.42.0.1/talk/assets/page.js"))
		b.Note(b.request("10.42.0.10", "GET", "http://10.42.0.1/assets/page.js"))
		b.local = &net.TCPAddr{IP: net.IPv4(10, 42, 0, 1), Port: 3000}
		time.Sleep(10*time.Second - 1)
		b.Note(b.request("10.42.0.9", "GET", "http://10.42.0.1/talk/assets/page.js")) // which does not begin it anew
		if w := b.ask("10.42.0.9", "GET", "http://"+android.host+android.path); w.Header().Get("Location") != "http://10.42.0.1:3000/talk/" {
			t.Errorf("%d %v", w.Code, w.Header())
		}
		time.Sleep(time.Nanosecond)
		b.told("10.42.0.9", android)
		for range 5 { // it asks, and so stays
			time.Sleep(time.Hour - 1)
			b.told("10.42.0.9", apple)
		}
		time.Sleep(time.Hour)
		if w := b.ask("10.42.0.9", "GET", "http://"+apple.host+apple.path); w.Code != 302 {
			t.Errorf("%d after an hour of silence", w.Code)
		}
	})
}

// TestManyAddresses: there is room for so many, and the one that was silent longest makes room for another.
func TestManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(t, Config{Addresses: 3, Time: time.Hour})
		enter := func(phone string) {
			time.Sleep(time.Second)
			b.Note(b.request(phone, "GET", "http://10.42.0.1/chat"))
		}
		for _, phone := range []string{"fd00::1", "fd00::2", "10.42.0.3"} {
			enter(phone)
		}
		time.Sleep(time.Second)
		b.told("fd00::1", &probes[0])
		enter("10.42.0.4")
		b.asked("fd00::2", &probes[0])
		for _, phone := range []string{"fd00::1", "10.42.0.3", "10.42.0.4"} {
			b.told(phone, &probes[0])
		}
		if s := b.Stats(); s.Addresses != 3 || s.Forgotten != 1 {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Hour)
		enter("10.42.0.5")
		if s := b.Stats(); s.Addresses != 1 || s.Forgotten != 1 {
			t.Errorf("after an hour of silence: %+v", s)
		}
	})
}

// TestNoPage: where no address can be told at which the page is, a probe is a request like others.
func TestNoPage(t *testing.T) {
	b := newBoard(t, Config{})
	for _, local := range []net.Addr{
		&net.UnixAddr{Name: "http.sock", Net: "unix"},
		&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3000}, // a proxy's connection
		&net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "wlan0", Port: 80},
	} {
		b.local = local
		if w := b.ask("10.42.0.9", "GET", "http://captive.apple.com/"); w.Body.String() != elsewhere {
			t.Errorf("%v: %d %s", local, w.Code, w.Body)
		}
	}
	b.local = &net.TCPAddr{IP: net.ParseIP("fd00::1"), Port: 80}
	if w := b.ask("fd00::9", "GET", "http://captive.apple.com/"); w.Header().Get("Location") != "http://[fd00::1]/" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

// TestAPI: the answer is as RFC 8908 section 5 has it.
func TestAPI(t *testing.T) {
	b := newBoard(t, Config{})
	for _, want := range []string{
		`{"captive":true,"user-portal-url":"http://chat.example/"}`, `{"captive":false,"user-portal-url":"http://chat.example/"}`,
	} {
		w := httptest.NewRecorder()
		b.API(w, b.request("10.42.0.9", "GET", "http://chat.example/captive"))
		if strings.TrimSpace(w.Body.String()) != want || w.Header().Get("Content-Type") != "application/captive+json" || w.Header().Get("Cache-Control") != "private" {
			t.Errorf("%v %s", w.Header(), w.Body)
		}
		b.Note(b.request("10.42.0.9", "GET", "http://10.42.0.1/chat"))
	}
}

func TestConfig(t *testing.T) {
	for _, cfg := range []Config{{Delay: -1}, {Time: -1}, {Addresses: -1}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}
