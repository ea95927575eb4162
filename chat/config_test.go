package chat

import (
	"math"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"edgechat/auth"
	"edgechat/hub"
	"edgechat/store"
	"edgechat/ws"
)

// Each bound of a Config, from both sides.
func TestRegister(t *testing.T) {
	checker, err := auth.New(auth.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(store.Config{Path: filepath.Join(t.TempDir(), "edgechat.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	h, err := hub.New(hub.Config{Log: s, Formats: Formats()})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string // of the error; "" is none
	}{
		{"the zero value", func(*Config) {}, ""},
		{"no Hub", func(c *Config) { c.Hub = nil }, "needs a Hub"},
		{"no Log", func(c *Config) { c.Log = nil }, "a Log"},
		{"no Auth", func(c *Config) { c.Auth = nil }, "a Checker"},
		{"MaxContent of 1", func(c *Config) { c.MaxContent = 1 }, ""},
		{"MaxContent of -1", func(c *Config) { c.MaxContent = -1 }, "MaxContent is -1"},
		{"the largest MaxContent", func(c *Config) { c.MaxContent = math.MaxInt32 / 16 }, ""},
		{"MaxContent over it", func(c *Config) { c.MaxContent = math.MaxInt32/16 + 1 }, "MaxContent is 134217728"},
		{"the largest OwedBytes", func(c *Config) { c.OwedBytes = maxOwedBytes }, ""},
		{"OwedBytes over it", func(c *Config) { c.OwedBytes = maxOwedBytes + 1 }, "OwedBytes is 1073741825"},
		{"OwedBytes of -1", func(c *Config) { c.OwedBytes = -1 }, "OwedBytes is -1"},
		{"ReplayLimit of 1", func(c *Config) { c.ReplayLimit = 1 }, ""},
		{"ReplayLimit of -1", func(c *Config) { c.ReplayLimit = -1 }, "ReplayLimit is -1"},
	} {
		rt, err := ws.NewRouter(ws.Config{})
		if err != nil {
			t.Fatal(err)
		}
		cfg := Config{Hub: h, Log: s, Auth: checker}
		test.change(&cfg)
		_, err = Register(rt, cfg)
		if err := rt.Shutdown(t.Context(), 1001, ""); err != nil {
			t.Error(err)
		}
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// What the zero Config stands for, and that a setting is what it says.
func TestDefaults(t *testing.T) {
	r := newRig(t, func(s *setup) { s.store.History = 2 * DefaultReplayLimit })
	for n := range DefaultReplayLimit + 1 {
		r.say("den", strings.Repeat("x", n%9))
	}
	if _, _, lines := r.do("GET", "/chat/room/den/messages?limit=100000", "", "Accept: application/x-ndjson"); strings.Count(lines, "\n") != DefaultReplayLimit {
		t.Errorf("a page of %d messages, want %d", strings.Count(lines, "\n"), DefaultReplayLimit)
	}
	small := newRig(t, func(s *setup) { s.chat.MaxContent = 10 })
	if m := small.room("den", "", jsonHeader).JSON(); m["max_content_bytes"] != 10.0 {
		t.Errorf("subscribed: %v", m)
	}
	for body, want := range map[string]int{"0123456789": 201, "0123456789a": 400} {
		if status, _, answer := small.do("POST", "/chat/room/den/messages", body, "Content-Type: text/plain"); status != want {
			t.Errorf("%d bytes of 10: %d %s", len(body), status, answer)
		}
	}
}

func TestIdempotencyKey(t *testing.T) {
	for header, want := range map[string]string{
		"": "", "k": "k", `"k"`: "k", `""`: "", `"`: `"`, `"k`: `"k`, `k"`: `k"`, `"a"b"`: `a"b`,
	} {
		if got := idempotencyKey(http.Header{"Idempotency-Key": {header}}); got != want {
			t.Errorf("%s is the key %s, want %s", header, got, want)
		}
	}
}

// A token's name and the same name without one are two senders: neither gets
// the other's acknowledgement.
func TestKeyScopes(t *testing.T) {
	config, header := tokens(t, auth.Write, map[string]grant{"Ann": {auth.Write, nil}, "Bob": {auth.Write, nil}})
	ann, bob := strings.TrimPrefix(header["Ann"], bearer), strings.TrimPrefix(header["Bob"], bearer)
	r := newRig(t, config)
	seen := map[string]string{}
	for _, caller := range []string{"token=" + ann, "token=" + bob, "username=Carl", "username=Dora"} {
		post := func(text string) string {
			t.Helper()
			status, _, body := r.do("POST", "/chat/room/den/messages?"+caller, text, "Idempotency-Key: k")
			if status != 201 || !strings.Contains(body, `"content":"by `+caller+`"`) {
				t.Errorf("%s: %d %s", caller, status, body)
			}
			return body
		}
		first := post("by " + caller)
		if again := post("again"); again != first {
			t.Errorf("%s: %s again, first %s", caller, again, first)
		}
		if other, taken := seen[first]; taken {
			t.Errorf("%s gets what %s sent", caller, other)
		}
		seen[first] = caller
	}
}

// The challenge tells a client with a wrong token from one without (RFC 6750, section 3.1).
func TestChallenges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	if _, err := auth.Create(path, auth.Grant{Name: "Ann", Access: auth.Read}); err != nil {
		t.Fatal(err)
	}
	loaded, err := auth.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	checker, err := auth.New(auth.Config{Tokens: loaded})
	if err != nil {
		t.Fatal(err)
	}
	reader, err := auth.New(auth.Config{Anonymous: auth.Read})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		auth            *auth.Checker
		method, query   string
		header, message string
	}{
		{checker, "GET", "", `Bearer realm="edgechat"`, "a token is needed"},
		{checker, "GET", "?token=edc_x", `Bearer realm="edgechat", error="invalid_token"`, "the token is not valid"},
		{checker, "GET", "?token=", `Bearer realm="edgechat", error="invalid_token"`, "the token is not valid"},
		{reader, "POST", "", `Bearer realm="edgechat"`, "a token is needed to write here"},
	} {
		r := newRig(t, func(s *setup) { s.chat.Auth = test.auth })
		status, header, body := r.do(test.method, "/chat/room/den/messages"+test.query, "x")
		code, message := errorOf(body)
		if status != 401 || code != "unauthorized" || header.Get("WWW-Authenticate") != test.header || !strings.Contains(message, test.message) {
			t.Errorf("%s %s: %d %q %s, want %q", test.method, test.query, status, header.Get("WWW-Authenticate"), body, test.header)
		}
	}
}

// A Log that takes nothing more is said at once, over HTTP and over WebSocket.
func TestNotTaken(t *testing.T) {
	r := newRig(t)
	c := r.room("den", "username=ann", jsonHeader)
	c.JSONOf("joined")
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	status, header, body := r.do("POST", "/chat/room/den/messages", "x")
	if code, _ := errorOf(body); status != 503 || code != "unavailable" || header.Get("Retry-After") == "" {
		t.Errorf("POST: %d %v %s", status, header, body)
	}
	c.Text(`{"type":"message","content":"x","idempotency_key":"k"}`)
	if m := c.JSON(); m["type"] != "error" || m["code"] != "unavailable" || m["idempotency_key"] != "k" {
		t.Errorf("over WebSocket: %v", m)
	}
	if !r.log.Has("publish failed") {
		t.Error("nothing in the log")
	}
}
