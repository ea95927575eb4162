package chat

import (
	"strings"
	"testing"

	"edgechat/auth"
	"edgechat/internal/edgetest"
)

func TestTokens(t *testing.T) {
	config, token := tokens(t, auth.Unset, map[string]grant{"Ann": {auth.Write, nil}, "lab bot": {auth.Write, []string{"lab-*"}}, "wall": {auth.Read, nil}})
	for name, header := range token {
		token[name] = strings.TrimPrefix(header, bearer)
	}
	r := newRig(t, config)

	for _, test := range []struct {
		path, header string
		status       int
		code         string
	}{
		{"/chat/room/den", "", 401, "unauthorized"},
		{"/chat/room/den?token=edc_wrong", "", 401, "unauthorized"},
		{"/chat/room/den", "Authorization: Basic eDp5", 401, "unauthorized"},
		{"/chat/room/den?token=" + token["Ann"], "Authorization: Bearer " + token["wall"], 400, "invalid_query"},
		{"/chat/room/den?token=" + token["lab bot"], "", 403, "forbidden"},
		{"/chat/room/lab-1?token=" + token["lab bot"], "", 101, ""},
		{"/chat/room/den?token=" + token["Ann"], "", 101, ""},
		{"/chat/room/den", "Authorization: bearer " + token["wall"], 101, ""},
	} {
		var headers []string
		if test.header != "" {
			headers = append(headers, test.header)
		}
		c := edgetest.TryDial(t, r.ws+test.path, headers...)
		if c.Response.StatusCode != test.status {
			t.Errorf("%s %s: %s, want %d", test.path, test.header, c.Response.Status, test.status)
			continue
		}
		if test.status == 101 {
			c.Close()
			continue
		}
		body := make([]byte, 1000)
		n, _ := c.Response.Body.Read(body)
		if code, _ := errorOf(string(body[:n])); code != test.code {
			t.Errorf("%s: %s", test.path, body[:n])
		}
		if challenge := c.Response.Header.Get("WWW-Authenticate"); (test.status == 401) != strings.HasPrefix(challenge, "Bearer") {
			t.Errorf("%s: WWW-Authenticate %q", test.path, challenge)
		}
	}

	// The identity's name instead of username, even of one that would be refused.
	ann := r.room("den", "username=%00&token="+token["Ann"], jsonHeader)
	if m := ann.JSON(); m["username"] != "Ann" {
		t.Errorf("subscribed as %v", m["username"])
	}
	ann.JSONOf("joined")
	wall := r.room("den", "", jsonHeader, "Authorization: Bearer "+token["wall"])
	wall.JSONOf("joined")
	for _, text := range []string{`{"type":"message","content":"x","idempotency_key":"k"}`, `{"type":"typing"}`} {
		wall.Text(text)
		if m := wall.JSONOf("error"); m["code"] != "forbidden" {
			t.Errorf("a reader sends %s and gets %v", text, m)
		}
	}
	bearer := func(name string) string { return "Authorization: Bearer " + token[name] }
	for _, test := range []struct {
		method, path, header string
		status               int
	}{
		{"POST", "/chat/room/den/messages", bearer("wall"), 403},
		{"POST", "/chat/room/den/messages", bearer("Ann"), 201},
		{"GET", "/chat/room/den/messages", bearer("wall"), 200},
		{"GET", "/chat/room/den/members", bearer("lab bot"), 403},
		{"GET", "/chat/rooms", "X: y", 401},
	} {
		if status, _, body := r.do(test.method, test.path, "x", test.header); status != test.status {
			t.Errorf("%s %s: %d %s, want %d", test.method, test.path, status, body, test.status)
		}
	}
	if _, _, body := r.do("GET", "/chat/rooms", "", bearer("Ann")); !strings.Contains(body, `"den"`) {
		t.Errorf("Ann sees %s", body)
	}
	if status, _, body := r.do("GET", "/chat/rooms", "", bearer("wall")); status != 200 || !strings.Contains(body, `"den"`) {
		t.Errorf("who may read sees %d %s", status, body)
	}
	if _, _, body := r.do("GET", "/chat/rooms", "", bearer("lab bot")); !strings.Contains(body, `"rooms":[]`) {
		t.Errorf("the bot sees %s", body)
	}
	if !r.log.Has("connected") {
		t.Error("no connection is in the log, so it says nothing of tokens")
	}
	for name, secret := range token {
		if r.log.Has(secret) {
			t.Errorf("the token of %s is in the log", name)
		}
	}
}

func TestAnonymousReader(t *testing.T) {
	checker, err := auth.New(auth.Config{Anonymous: auth.Read})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(s *setup) { s.chat.Auth = checker })
	c := r.room("den", "", jsonHeader)
	c.JSONOf("joined")
	c.Text(`{"type":"message","content":"x"}`)
	if m := c.JSON(); m["code"] != "forbidden" {
		t.Errorf("got %v", m)
	}
	if status, header, _ := r.do("POST", "/chat/room/den/messages", "x"); status != 401 || header.Get("WWW-Authenticate") == "" {
		t.Errorf("POST: %d", status)
	}
}
