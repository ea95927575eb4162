package server

import (
	"net/http"
	"strings"
	"testing"

	"edgechat/captive"
	"edgechat/refusal"
)

// TestPortal: under the name of a probe there is nothing of the server, by no way of asking, and what comes so counts as nobody's visit.
func TestPortal(t *testing.T) {
	s := start(t, Config{Captive: true})
	page := s.url + "/"
	for _, host := range []string{"captive.apple.com", "connectivitycheck.gstatic.com", "www.msftconnecttest.com", "detectportal.firefox.com", "nmcheck.gnome.org"} {
		for _, path := range []string{"/", "/room/den", "/assets/page.js", "/healthz", "/chat/rooms", "/chat/room/den/messages", "/chat/room/den/events", "/captive", "//chat/rooms", "/%2e%2e/chat/rooms"} {
			resp, body := raw(t, s, "GET "+path+"\nHost: "+host+"\nOrigin: http://"+host)
			if resp.StatusCode != 302 || resp.Header.Get("Location") != page || strings.TrimSpace(string(body)) != `<!doctype html><title>edgechat</title><a href="`+page+`">The chat is here</a>` ||
				resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s of %s: %s %v %s", path, host, resp.Status, resp.Header, body)
			}
		}
		for _, request := range []string{"POST /chat/room/den/messages", "PUT /room/den", "DELETE /chat/room/den/messages/x-1", "OPTIONS /chat/rooms", "GET /chat/room/den" + upgrade,
			"GET /chat" + upgrade + "\nSec-WebSocket-Protocol: edgechat.v1.json"} {
			if resp, body := raw(t, s, request+"\nHost: "+host); resp.StatusCode != 421 {
				t.Errorf("%.30q as %s: %s %s", request, host, resp.Status, body)
			}
		}
	}
	for _, host := range []string{"evil.example", "www.apple.com", "captive.apple.com.evil.example"} {
		if resp, body := raw(t, s, "GET /hotspot-detect.html\nHost: "+host); resp.StatusCode != 421 {
			t.Errorf("%s: %s %s", host, resp.Status, body)
		}
	}
	if got, want := s.Stats().Captive, (captive.Stats{Asked: 50}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	probe := "GET /hotspot-detect.html\nHost: captive.apple.com"
	if resp, _ := raw(t, s, "GET /chat/rooms"); resp.StatusCode != 200 {
		t.Error(resp.Status)
	}
	if resp, body := raw(t, s, probe); resp.StatusCode != 200 || !strings.Contains(string(body), "Success") {
		t.Errorf("%s %s", resp.Status, body)
	}
	if resp, body := raw(t, s, "GET /captive"); resp.StatusCode != 200 || !strings.Contains(string(body), `"captive":false`) {
		t.Errorf("%s %s", resp.Status, body)
	}
	if n := s.Stats().WS.RefusedBy[refusal.Misdirected]; n != 33 {
		t.Errorf("%d counted", n)
	}
}

// A WebSocket, which does not come by net/http, is a visit, too.
func TestPortalWebSocket(t *testing.T) {
	s := start(t, Config{Captive: true})
	probe := "GET /generate_204\nHost: connectivitycheck.gstatic.com"
	if resp, _ := raw(t, s, probe); resp.StatusCode != http.StatusFound {
		t.Error(resp.Status)
	}
	if resp, _ := raw(t, s, "GET /chat/room/den"+upgrade); resp.StatusCode != 101 {
		t.Fatal(resp.Status)
	}
	if resp, _ := raw(t, s, probe); resp.StatusCode != http.StatusNoContent {
		t.Error(resp.Status)
	}
}

// Without the setting a probe is a request under a name that is not the server's.
func TestNoPortal(t *testing.T) {
	s := start(t, Config{})
	if resp, _ := raw(t, s, "GET /hotspot-detect.html\nHost: captive.apple.com"); resp.StatusCode != 421 {
		t.Error(resp.Status)
	}
	if resp, _ := raw(t, s, "GET /captive"); resp.StatusCode != 404 {
		t.Error(resp.Status)
	}
	if _, err := New(Config{Data: t.TempDir(), Listen: []string{"127.0.0.1:0"}, Captive: true, Portal: captive.Config{Time: -1}}); err == nil {
		t.Error("a negative time is taken")
	}
}
