package hostile

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A path is split before it is decoded (RFC 3986, sections 2.2 and 3.3): a slash that is encoded is a character of a room's
// name, which no room may have.
func TestEncodedSlash(t *testing.T) {
	s := serve(t)
	const upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	for _, r := range []struct{ path, headers, status, code string }{
		{"/chat/room/den%2Fmessages", upgrade, "400", "invalid_room"},
		{"/chat/room/den%2fmessages", upgrade, "400", "invalid_room"},
		{"/chat/room/a%2Fb", upgrade, "400", "invalid_room"},
		{"/chat/room/a%2Fb", "", "426", "upgrade_required"},
		{"/chat/room/den%2Fmessages", "", "426", "upgrade_required"},
		{"/chat/room/a%2Fb/messages", "", "400", "invalid_room"},
	} {
		c := dial(t, s.Addr)
		if _, err := io.WriteString(c, "GET "+r.path+" HTTP/1.1\r\nHost: x\r\n"+r.headers+"\r\n"); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || !strings.HasPrefix(resp.Status, r.status+" ") || !strings.Contains(string(body), `"`+r.code+`"`) {
			t.Errorf("%s, %q: %v, %s %s, want %s %s", r.path, r.headers, err, resp.Status, body, r.status, r.code)
		}
	}
}

// RFC 6455, section 4.1, has a key whose last character is not what an encoder would write.
func TestKeyOfTheRFC(t *testing.T) {
	s := serve(t)
	const key = "AQIDBAUGBwgJCgsMDQ4PEC=="
	c := dial(t, s.Addr)
	request := strings.Replace(Handshake("den", "username=x"), "dGhlIHNhbXBsZSBub25jZQ==", key, 1)
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	answer, err := head(c, patience)
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if want := "Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]); err != nil || !strings.Contains(answer, want+"\r\n") {
		t.Errorf("%v: %s, want %s", err, answer, want)
	}
}
