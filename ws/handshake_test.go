package ws

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"edgechat/ws/internal/frame"
)

// TestHandshake: what a handshake is answered with does not depend on who has
// accepted the connection.
func TestHandshake(t *testing.T) {
	t.Run("door", func(t *testing.T) { testHandshake(t, autoDriver) })
	t.Run("net/http", func(t *testing.T) { testHandshake(t, hijackLoop) })
}

func testHandshake(t *testing.T, driver driving) {
	base, _, _ := echo(t, Config{driver: driver}, 0)
	const good = "GET /react HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	swap := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %q", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for _, test := range []struct {
		name, request string
		status        int
		code          string // of the body; "" is a refusal of net/http's own, or none
	}{
		{"good", good, 101, ""},
		{"spelled otherwise", strings.NewReplacer("websocket\r", "WebSocket\r", "Connection: Upgrade", "connection: keep-alive, upgrade").Replace(good), 101, ""},
		{"two Connection lines", swap("Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade"), 101, ""},
		{"no Upgrade", swap("Upgrade: websocket\r\n", ""), 426, "upgrade_required"},
		{"Upgrade to h2c", swap("websocket\r\n", "h2c\r\n"), 426, "upgrade_required"},
		{"no Connection", swap("Connection: Upgrade\r\n", ""), 400, "bad_handshake"},
		{"HTTP/1.0", swap("HTTP/1.1", "HTTP/1.0"), 400, "bad_handshake"},
		{"HEAD", swap("GET", "HEAD"), 400, ""},
		{"POST", swap("GET", "POST"), 405, "method_not_allowed"},
		{"no version", swap("Sec-WebSocket-Version: 13\r\n", ""), 426, "bad_handshake"},
		{"version 8", swap(": 13", ": 8"), 426, "bad_handshake"},
		{"no key", swap("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400, "bad_handshake"},
		{"the key of RFC 6455 section 4.1", swap("dGhlIHNhbXBsZSBub25jZQ==", "AQIDBAUGBwgJCgsMDQ4PEC=="), 101, ""},
		{"short key", swap("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"), 400, "bad_handshake"},
		{"key that is no base64", swap("dGhlIHNhbXBsZSBub25jZQ==", "????????????????????????"), 400, "bad_handshake"},
		{"two keys", swap("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key"), 400, "bad_handshake"},
		{"no Host", swap("Host: x\r\n", ""), 400, ""},
		{"two Hosts", swap("Host: x", "Host: x\r\nHost: y"), 400, ""},
		{"a Host that is none", swap("Host: x", "Host: a b"), 400, ""},
		{"empty Host", swap("Host: x", "Host: "), 101, ""},
		{"a folded line", swap("Upgrade: websocket", "Upgrade:\r\n websocket"), 101, ""},
		{"a space before the colon", swap("Upgrade: websocket", "Upgrade : websocket"), 400, ""},
		{"a control character", swap("Host: x", "Host: x\r\nX: a\x01b"), 400, ""},
		{"a name that is none", swap("Host: x", "Host: x\r\nX[]: a"), 400, ""},
		{"lines that end in LF", strings.ReplaceAll(good, "\r\n", "\n"), 101, ""},
		{"the whole URL", swap("/react", "http://x/react"), 101, ""},
		{"no path", swap("/react", "react"), 400, ""},
		{"an escape that is none", swap("/react", "/react%zz"), 400, ""},
		{"nothing there", swap("/react", "/nothing"), 404, "not_found"},
		{"a query that is none", swap("/react", "/react?a=%zz"), 400, "invalid_query"},
		{"chunks", swap("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400, "bad_handshake"},
		{"a long head", swap("Host: x", "Host: x\r\nX: "+strings.Repeat("x", 2*frame.MaxHead)), 101, ""},
		{"a body", swap("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nhi"), 400, "bad_handshake"},
	} {
		c := rawClient(t, base)
		c.Raw([]byte(test.request))
		c.ReadResponse()
		if c.Response.StatusCode != test.status {
			t.Errorf("%s: %s, want %d", test.name, c.Response.Status, test.status)
		}
		if strings.HasPrefix(test.request, "HEAD") {
			// A refusal without its body.
		} else if code := refusalCode(t, c.Response); code != test.code {
			t.Errorf("%s: refused with the code %q, want %q", test.name, code, test.code)
		}
		switch test.status {
		case 101:
			// The answer to the example key of RFC 6455 section 1.3.
			if a := c.Response.Header.Get("Sec-WebSocket-Accept"); !strings.Contains(test.name, "section 4.1") && a != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
				t.Errorf("%s: accept %q", test.name, a)
			}
		case 426:
			if v := c.Response.Header.Get("Sec-WebSocket-Version"); v != "13" {
				t.Errorf("%s: 426 names version %q", test.name, v)
			}
		}
		_ = c.Conn.Close()
	}
}

// refusalCode is the code in the JSON body of a refusal, "" if it is none.
func refusalCode(t *testing.T, res *http.Response) string {
	t.Helper()
	if res.StatusCode == http.StatusSwitchingProtocols || !strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		return ""
	}
	var body struct{ Error struct{ Code string } }
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
		t.Error(err)
	}
	return body.Error.Code
}
