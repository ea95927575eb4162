package ws

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"edgechat/internal/edgetest/hostile"
)

// TestHandshake: what a handshake is answered with does not depend on who has
// accepted the connection.
func TestHandshake(t *testing.T) {
	t.Run("door", func(t *testing.T) { testHandshake(t, autoDriver) })
	t.Run("net/http", func(t *testing.T) { testHandshake(t, hijackLoop) })
}

func testHandshake(t *testing.T, driver driving) {
	base, _, _ := echo(t, Config{driver: driver}, 0)
	for _, test := range hostile.Handshakes("/react") {
		c := rawClient(t, base)
		c.Raw([]byte(test.Request))
		c.ReadResponse()
		if c.Response.StatusCode != test.Status {
			t.Errorf("%s: %s, want %d", test.Name, c.Response.Status, test.Status)
		}
		if strings.HasPrefix(test.Request, "HEAD") {
			// A refusal without its body.
		} else if code := refusalCode(t, c.Response); code != test.Code {
			t.Errorf("%s: refused with the code %q, want %q", test.Name, code, test.Code)
		}
		switch test.Status {
		case 101:
			if a := c.Response.Header.Get("Sec-WebSocket-Accept"); !strings.Contains(test.Name, "section 4.1") && a != hostile.ExampleAccept {
				t.Errorf("%s: accept %q", test.Name, a)
			}
		case 426:
			if v := c.Response.Header.Get("Sec-WebSocket-Version"); v != "13" {
				t.Errorf("%s: 426 names version %q", test.Name, v)
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
