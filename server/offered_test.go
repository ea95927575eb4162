package server

import (
	"path/filepath"
	"testing"

	"edgechat/auth"
	"edgechat/internal/edgetest"
)

// TestMetricsToken: a token with that right reads the metrics from anywhere, and nothing else; one with another does not.
func TestMetricsToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	secrets := map[string]string{}
	for _, a := range []auth.Access{auth.Metrics, auth.Admin, auth.Moderate, auth.Read} {
		token, err := auth.Create(path, auth.Grant{Name: a.String(), Access: a})
		if err != nil {
			t.Fatal(err)
		}
		secrets[a.String()] = token
	}
	s := start(t, Config{Tokens: path, Anonymous: auth.Read})
	ask := func(what, token string) int {
		header := "\nX-Forwarded-For: 192.0.2.1" // from elsewhere
		if token != "" {
			header += "\nAuthorization: Bearer " + token
		}
		resp, _ := raw(t, s, what+header)
		return resp.StatusCode
	}
	for access, want := range map[string][3]int{"metrics": {200, 403, 403}, "admin": {200, 200, 200}, "moderate": {403, 200, 200}, "read": {403, 200, 403}} {
		for i, what := range []string{"GET /metrics", "GET /chat/room/den/messages", "GET /chat/moderation"} {
			if got := ask(what, secrets[access]); got != want[i] {
				t.Errorf("%s with the access %s: %d, want %d", what, access, got, want[i])
			}
		}
	}
	if got := ask("GET /metrics", ""); got != 403 {
		t.Errorf("without a token: %d", got)
	}
	if got := ask("GET /metrics", "edc_wrong"); got != 401 {
		t.Errorf("with one that is not valid: %d", got)
	}
}

// TestOfferedToken: a browser sends its token as a subprotocol, and is answered the real one.
func TestOfferedToken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	token, err := auth.Create(path, auth.Grant{Name: "Ann", Access: auth.Write})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Tokens: path})
	for _, offer := range []string{"edgechat.v1.json, bearer." + token, "bearer." + token + ", edgechat.v1.json"} {
		c := edgetest.Dial(t, s.url+"/chat", "Sec-WebSocket-Protocol: "+offer)
		if got := c.Response.Header.Values("Sec-WebSocket-Protocol"); len(got) != 1 || got[0] != "edgechat.v1.json" {
			t.Errorf("answered %v", got)
		}
		if m := c.JSONOf("welcome"); m["username"] != "Ann" {
			t.Errorf("%v", m)
		}
	}
	if c := edgetest.Dial(t, s.url+"/chat/room/den", "Sec-WebSocket-Protocol: bearer."+token); c.Response.Header.Get("Sec-WebSocket-Protocol") != "" {
		t.Error("a token alone is answered")
	}
	if c := edgetest.TryDial(t, s.url+"/chat?token=edc_x", "Sec-WebSocket-Protocol: edgechat.v1.json, bearer."+token); c.Response.StatusCode != 400 {
		t.Errorf("two that differ: %s", c.Response.Status)
	}
	if s.log.Has(token) {
		t.Errorf("the log shows the token:\n%s", s.log)
	}
	open := start(t, Config{})
	c := edgetest.Dial(t, open.url+"/chat?token=edc_x", "Sec-WebSocket-Protocol: edgechat.v1.json, bearer."+token)
	if m := c.JSONOf("welcome"); m["username"] != "Anonymous" || m["verified"] == true {
		t.Errorf("where there are no tokens: %v", m)
	}
}
