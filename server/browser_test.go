package server

import (
	"strings"
	"testing"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
)

const upgrade = "\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

// TestRebinding: a page whose name was made to point here can neither read nor write, on no path; the names of a
// local network work, and those that are allowed.
func TestRebinding(t *testing.T) {
	for _, hotspot := range []bool{false, true} {
		rebind(t, start(t, Config{AllowedHosts: []string{"chat.example"}, Captive: hotspot}))
	}
}

func rebind(t *testing.T, s *running) {
	requests := []string{
		"GET /", "GET /room/den", "GET /assets/page.js", "GET /healthz", "GET /readyz", "GET /metrics", "GET /nowhere", "GET /chat/rooms", "GET /chat/room/den/messages",
		"POST /chat/room/den/messages", "DELETE /chat/room/den/messages/x-1", "OPTIONS /chat/rooms", "GET /chat/room/den" + upgrade, "GET /chat" + upgrade + "\nSec-WebSocket-Protocol: edgechat.v1.json",
	}
	for _, request := range requests {
		for _, host := range []string{"evil.example", "evil.example:3000", "pi.local.evil.example", "127.0.0.1.evil.example"} {
			resp, body := raw(t, s, request+"\nHost: "+host+"\nOrigin: http://"+host)
			if resp.StatusCode != 421 || !strings.Contains(string(body), `"misdirected"`) || !strings.Contains(string(body), "--allowed-hosts "+strings.TrimSuffix(host, ":3000")) {
				t.Errorf("%.30q as %s: %s %s", request, host, resp.Status, body)
			}
		}
		for _, host := range []string{"pi.local:3000", "pi", "192.168.1.5", "chat.example"} {
			if resp, body := raw(t, s, request+"\nHost: "+host); resp.StatusCode == 421 {
				t.Errorf("%.30q as %s: %s %s", request, host, resp.Status, body)
			}
		}
	}
	if n := s.Stats().WS.RefusedBy[refusal.Misdirected]; n != uint64(4*len(requests)) {
		t.Errorf("%d counted, want %d", n, 4*len(requests))
	}
	if resp, body := raw(t, s, "GET /chat/room/den/messages"); resp.StatusCode != 200 || !strings.Contains(string(body), `"messages":[]`) {
		t.Errorf("%s %s", resp.Status, body)
	}
}

// TestForeignPages: a page from elsewhere that is allowed can use every route, with what a preflight asks for; others none.
func TestForeignPages(t *testing.T) {
	s := start(t, Config{AllowedOrigins: []string{"https://chat.example/", "file://", "null"}})
	for _, origin := range []string{"https://chat.example", "file://", "null", "https://evil.example", "http://chat.example"} {
		allowed := origin != "https://evil.example" && origin != "http://chat.example"
		for _, request := range []string{"GET /chat/rooms", "GET /chat/room/den/messages", "GET /chat/room/den/members", "POST /chat/room/den/messages", "GET /healthz", "GET /nowhere",
			"OPTIONS /chat/room/den/messages\nAccess-Control-Request-Method: POST\nAccess-Control-Request-Headers: authorization,idempotency-key"} {
			if strings.HasPrefix(request, "POST") {
				request += "\nOrigin: " + origin + "\n\nhi"
			} else {
				request += "\nOrigin: " + origin
			}
			resp, body := raw(t, s, request)
			if got := resp.Header.Get("Access-Control-Allow-Origin"); (got == origin) != allowed || (resp.StatusCode == 403) == allowed {
				t.Errorf("%.40q from %s: %s, Access-Control-Allow-Origin %q %s", request, origin, resp.Status, got, body)
			}
			if allowed && strings.HasPrefix(request, "OPTIONS") && (resp.StatusCode != 200 || !strings.Contains(strings.ToLower(resp.Header.Get("Access-Control-Allow-Headers")), "idempotency-key")) {
				t.Errorf("preflight from %s: %s %v", origin, resp.Status, resp.Header)
			}
		}
		c := edgetest.TryDial(t, s.url+"/chat/room/den", "Origin: "+origin)
		if (c.Response.StatusCode == 101) != allowed {
			t.Errorf("WebSocket from %s: %s", origin, c.Response.Status)
		}
	}
}

// TestNoPermission: without the setting, no page from elsewhere can do anything, whatever it sends without asking.
func TestNoPermission(t *testing.T) {
	s := start(t, Config{})
	for _, contentType := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} { // forms and beacons
		resp, body := raw(t, s, "POST /chat/room/den/messages\nOrigin: https://evil.example\nContent-Type: "+contentType+"\n\nhi")
		if resp.StatusCode != 403 || !strings.Contains(string(body), "--allowed-origins https://evil.example") {
			t.Errorf("%s: %s %s", contentType, resp.Status, body)
		}
	}
	if _, body := raw(t, s, "GET /chat/room/den/messages"); !strings.Contains(string(body), `"messages":[]`) {
		t.Errorf("written after all: %s", body)
	}
}

// TestBasePath: below a path and without it the same is served, and the path alone leads to what is below it.
func TestBasePath(t *testing.T) {
	s := start(t, Config{BasePath: "/attic/chat"})
	for path, want := range map[string]string{
		"/attic/chat/": "text/html", "/attic/chat/room/a%2Fb": "text/html", "/attic/chat/assets/page.js": "text/javascript", "/attic/chat/healthz": "application/json", "/healthz": "application/json",
		"/attic/chat/chat/rooms": "application/json", "/chat/rooms": "application/json",
	} {
		if resp, body := raw(t, s, "GET "+path); resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), want) {
			t.Errorf("%s: %s %s %.100s", path, resp.Status, resp.Header.Get("Content-Type"), body)
		}
	}
	for path, status := range map[string]int{"/attic/chatter": 404, "/attic/": 404, "/attic/chat/chat/room/a%2Fb/messages": 400, "/attic/chat/chat/room/K%C3%BCche/messages": 200} {
		if resp, body := raw(t, s, "GET "+path); resp.StatusCode != status {
			t.Errorf("%s: %s %s", path, resp.Status, body)
		}
	}
	if resp, _ := raw(t, s, "GET /attic/chat"); resp.StatusCode != 308 || resp.Header.Get("Location") != "/attic/chat/" {
		t.Errorf("%s, Location %q", resp.Status, resp.Header.Get("Location"))
	}
	edgetest.Dial(t, s.url+"/attic/chat/chat/room/den", jsonProtocol).JSONOf("subscribed")
}
