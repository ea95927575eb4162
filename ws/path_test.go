package ws

import (
	"io"
	"net/http"
	"testing"
)

// TestEscapedPath: an escaped slash is a character of a name; what needs no
// escape is the same with one.
func TestEscapedPath(t *testing.T) {
	rt := newRouter(t, Config{})
	say := func(what string) func(http.ResponseWriter, *Request) error {
		return func(w http.ResponseWriter, r *Request) error {
			_, err := io.WriteString(w, what+" "+r.Param("id")+" of "+r.URL.Path)
			return err
		}
	}
	rt.HTTP("GET", "/room/:id", say("room"))
	rt.HTTP("GET", "/room/:id/messages", say("messages"))
	base := "http" + serve(t, rt)[2:]
	for path, want := range map[string]string{
		"/room/den":              "room den of /room/den",
		"/room/den/messages":     "messages den of /room/den/messages",
		"/room/den%2Fmessages":   "room den/messages of /room/den/messages",
		"/room/a%2fb/messages":   "messages a/b of /room/a/b/messages",
		"/room/a%252Fb":          "room a%2Fb of /room/a%2Fb",
		"/room/a%2Fb%252F":       "room a/b%2F of /room/a/b%2F",
		"/r%6fom/caf%C3%A9":      "room café of /room/café",
		"/room/100%25%2F":        "room 100%/ of /room/100%/",
		"/room/%2E%2E/messages":  "messages .. of /room/../messages",
		"/room/a%3Fb%23c%3Bd%26": "room a?b#c;d& of /room/a?b#c;d&",
	} {
		if got := get(t, "GET", base+path); got != `200 "`+want+`"` {
			t.Errorf("%s: %s", path, got)
		}
	}
	if got := get(t, "GET", base+"/room%2Fden"); got[:4] != "404 " {
		t.Errorf("a slash that separates nothing: %s", got)
	}
}
