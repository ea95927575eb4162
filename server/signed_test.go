package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/auth"
	"edgechat/internal/edgetest"
)

// signed is a token of HS256.
func signed(t *testing.T, secret string, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	text := b64([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + b64(payload)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + b64(mac.Sum(nil))
}

// claimsOf are what a token of that name says.
func claimsOf(name string, lasts time.Duration) map[string]any {
	return map[string]any{"sub": "id-of-" + name, "name": name, "access": "write", "aud": "board", "exp": time.Now().Add(lasts).Unix()}
}

const secretA, secretB = "one secret that has thirty-two bytes", "another secret of thirty-two bytes"

// TestSignedConnections: a connection that was opened with a signed token ends when that expires, and when the key is gone, with each
// driver; others stay. Nothing of a token is in the log, at its most talkative.
func TestSignedConnections(t *testing.T) {
	dir := t.TempDir()
	tokens, key, socket := filepath.Join(dir, "tokens"), filepath.Join(dir, "key"), filepath.Join(dir, "s")
	own, err := auth.Create(tokens, auth.Grant{Name: "Bob", Access: auth.Write})
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(key, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secretA + "\n")
	s := start(t, Config{Tokens: tokens, JWTKey: key, JWTAudience: "board", Listen: []string{"127.0.0.1:0", "unix:" + socket}})
	for driver, dial := range dialers(s, socket) {
		t.Run(driver, func(t *testing.T) {
			write(secretA + "\n")
			if r, err := s.reload(); err != nil || r.KeyPath != key || r.Keys != 1 || r.Path != tokens || r.Tokens != 1 {
				t.Fatalf("%+v, %v", r, err)
			}
			open := func(token string) *edgetest.Client {
				c := dial(t, "/chat", jsonProtocol, "Authorization: Bearer "+token)
				if m := c.JSONOf("welcome"); m["verified"] != true {
					t.Errorf("%v", m)
				}
				c.Text(`{"type":"join","room":"` + driver + `"}`)
				c.JSONOf("subscribed")
				return c
			}
			bob := open(own)
			const life = 5 * time.Second // in which it is opened, on a busy machine too
			end := time.Now().Add(life)
			brief := open(signed(t, secretA, claimsOf("Ann", life)))
			long := open(signed(t, secretA, claimsOf("Ann", time.Hour)))
			lostNow(t, brief, "has expired")
			if late := time.Since(end); late < -time.Second || late > 20*time.Second {
				t.Errorf("closed %v after it expired", late)
			}
			long.Text(`{"type":"ping"}`)
			long.JSONOf("pong")
			write("too short")
			if r, err := s.reload(); err == nil || !strings.Contains(err.Error(), key) || r.Closed != 0 || r.Tokens != 1 || !strings.Contains(s.Status(), "not reloaded") {
				t.Errorf("a bad key: %+v, %v, %s", r, err, s.Status())
			}
			long.Text(`{"type":"ping"}`) // the old key counts
			long.JSONOf("pong")
			write(secretB + "\n")
			if r, err := s.reload(); err != nil || r.Closed != 1 || strings.Contains(s.Status(), "not reloaded") {
				t.Errorf("another key: %+v, %v, %s", r, err, s.Status())
			}
			lostNow(t, long, "key that signed the token was taken back")
			open(signed(t, secretB, claimsOf("Ann", time.Hour))).Close()
			bob.Text(`{"type":"ping"}`)
			bob.JSONOf("pong")
			bob.Close()
		})
	}
	if !s.log.Has(`msg="keys reloaded" path=`+key) || !s.log.Has(`msg="keys not reloaded, the old ones stay"`) || s.log.Has("eyJ") || s.log.Has("edc_") || s.log.Has("thirty-two") {
		t.Errorf("the log:\n%s", s.log)
	}
}

// TestSignedRefused: why a signed token does not count is said in the 401, and nowhere what it holds.
func TestSignedRefused(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(secretA), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{JWTKey: key, JWTAudience: "board"})
	if who := s.access(); !strings.Contains(who, "nobody else anything") {
		t.Errorf("without a token file: %s", who)
	}
	with := func(name string, v any) string {
		c := claimsOf("Ann", time.Hour)
		if c[name] = v; v == nil {
			delete(c, name)
		}
		return signed(t, secretA, c)
	}
	good := with("name", "Ann")
	for name, c := range map[string]struct {
		token  string
		status int
		want   string
	}{
		"good":          {good, 200, ""},
		"none":          {"", 401, "a token is needed"},
		"another key":   {signed(t, secretB, claimsOf("Ann", time.Hour)), 401, "may have been revoked"},
		"expired":       {signed(t, secretA, claimsOf("Ann", -time.Minute)), 401, "the token has expired: get another"},
		"no exp":        {with("exp", nil), 401, "the token is not valid: the claim exp is missing"},
		"not yet":       {with("nbf", time.Now().Add(time.Hour).Unix()), 401, "not valid yet (nbf)"},
		"for others":    {with("aud", "hidden"), 401, "what --jwt-audience says"},
		"no access":     {with("access", nil), 401, "the claim access is missing"},
		"unusable name": {with("name", "hidden\u2800\u2800\u2800\u2800\n"), 401, "the claim name cannot be a username"},
		"other rooms":   {with("rooms", []string{"attic"}), 403, "Ann may not read"},
		"metrics alone": {with("access", "metrics"), 403, "may not read"},
		"by its cut":    {good[:len(good)-2], 401, "may have been revoked"},
	} {
		t.Run(name, func(t *testing.T) {
			req, err := http.NewRequest("GET", s.url+"/chat/room/den/messages", nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.token != "" {
				req.Header.Set("Authorization", "Bearer "+c.token)
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			body := string(raw)
			if err != nil || resp.StatusCode != c.status || !strings.Contains(body, c.want) || strings.Contains(body, "hidden") || c.status == 401 && !strings.HasPrefix(resp.Header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("%s %q: %s", resp.Status, resp.Header.Get("WWW-Authenticate"), body)
			}
		})
	}
	header := "\nX-Forwarded-For: 192.0.2.1\nAuthorization: Bearer "
	for access, want := range map[string]int{"metrics": 200, "admin": 200, "write": 403} {
		if resp, body := raw(t, s, "GET /metrics"+header+with("access", access)); resp.StatusCode != want {
			t.Errorf("/metrics with the access %s: %s %.200s", access, resp.Status, body)
		}
	}
	if s.log.Has("eyJ") || s.log.Has("hidden") || s.log.Has(secretA) {
		t.Errorf("the log:\n%s", s.log)
	}
}

// TestSignedOwner: what somebody has said is changed by who has the same sub, and by nobody who has the same name.
func TestSignedOwner(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(secretA), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{JWTKey: key})
	as := func(sub, name string) string {
		c := claimsOf(name, time.Hour)
		c["sub"] = sub
		return signed(t, secretA, c)
	}
	status, body := post(t, s, "den", as("1", "Ann"), "hello")
	var said struct{ ID string }
	if err := json.Unmarshal([]byte(body), &said); err != nil || status != 201 || said.ID == "" {
		t.Fatalf("%d %s %v", status, body, err)
	}
	for _, c := range []struct {
		sub, name string
		want      int
	}{{"2", "Ann", 403}, {"Ann", "Ann", 403}, {"1", "Anna", 200}} {
		resp, body := raw(t, s, "DELETE /chat/room/den/messages/"+said.ID+"\nAuthorization: Bearer "+as(c.sub, c.name))
		if resp.StatusCode != c.want {
			t.Errorf("%s, whose sub is %s: %s %s", c.name, c.sub, resp.Status, body)
		}
	}
}

// TestSignedConfig: what cannot work stops the start, and names what to mend.
func TestSignedConfig(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(secretA), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{JWTAudience: "board"}, "no key that checks them"},
		{Config{JWTKey: key}, "chmod o-r " + key},
		{Config{JWTKey: key + "-gone"}, "no such file"},
	} {
		c.cfg.Data, c.cfg.Listen = t.TempDir(), []string{"127.0.0.1:0"}
		if s, err := New(c.cfg); err == nil || s != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
