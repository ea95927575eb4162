package chat

import (
	"strings"
	"testing"

	"edgechat/internal/edgetest"
)

// TestEscapedSlash: "%2F" is a character of a name, which no room may hold, and no separator.
func TestEscapedSlash(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/chat/room/a%2Fb", "/chat/room/den%2Fmessages", "/chat/room/a%2fb/messages", "/chat/room/den%2Fmembers/members"} {
		status, _, body := r.do("GET", path, "")
		if code, message := errorOf(body); strings.Count(path, "/") > 3 && (status != 400 || code != "invalid_room" || !strings.Contains(message, "'/'")) {
			t.Errorf("%s: %d %s", path, status, body)
		}
		if strings.Count(path, "/") > 3 {
			continue
		}
		c := edgetest.TryDial(t, r.ws+path)
		answer := make([]byte, 1000)
		n, _ := c.Response.Body.Read(answer)
		if code, message := errorOf(string(answer[:n])); c.Response.StatusCode != 400 || code != "invalid_room" || !strings.Contains(message, "'/'") {
			t.Errorf("%s: %s %s", path, c.Response.Status, answer[:n])
		}
	}
}
