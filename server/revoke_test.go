package server

import (
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/auth"
	"edgechat/internal/edgetest"
)

// dialers connect over each driver: TCP is the event loop's, a unix socket has a goroutine for each connection.
func dialers(s *running, socket string) map[string]func(t *testing.T, path string, headers ...string) *edgetest.Client {
	return map[string]func(t *testing.T, path string, headers ...string) *edgetest.Client{
		"loop": func(t *testing.T, path string, headers ...string) *edgetest.Client {
			return edgetest.Dial(t, s.url+path, headers...)
		},
		"goroutine": func(t *testing.T, path string, headers ...string) *edgetest.Client {
			conn, err := net.Dial("unix", socket)
			if err != nil {
				t.Fatal(err)
			}
			c := edgetest.NewClient(t, conn)
			c.Raw([]byte(edgetest.Handshake(&url.URL{Host: "localhost", Path: path}, headers...)))
			if c.ReadResponse(); c.Response.StatusCode != 101 {
				t.Fatal(c.Response.Status)
			}
			return c
		},
	}
}

// lostNow expects the end of a connection whose token is lost.
func lostNow(t *testing.T, c *edgetest.Client, why string) {
	t.Helper()
	if m := c.JSONOf("error"); m["code"] != "token_revoked" || !strings.Contains(m["message"].(string), why) {
		t.Errorf("%v, want %q", m, why)
	}
	if code, reason := c.ExpectClose(); code != 1008 || !strings.HasPrefix(reason, "token_revoked: ") || !strings.Contains(reason, why) {
		t.Errorf("closed with %d %q", code, reason)
	}
}

// TestRevokedConnections: a token that is taken back, allows less, or expires ends what was opened with it, also where nothing is
// said, on each route and with each driver; others stay, and a room sees one leave for each that joined.
func TestRevokedConnections(t *testing.T) {
	dir := t.TempDir()
	path, socket := filepath.Join(dir, "tokens"), filepath.Join(dir, "s")
	secrets := map[string]string{}
	grant := func(name string, access auth.Access, lasts time.Duration) {
		g := auth.Grant{Name: name, Access: access}
		if lasts > 0 {
			g.Expires = time.Now().Add(lasts)
		}
		token, err := auth.Create(path, g)
		if err != nil {
			t.Fatal(err)
		}
		secrets[name] = "Authorization: Bearer " + token
	}
	grant("Ann", auth.Write, 0)
	grant("Bob", auth.Moderate, 0)
	grant("Cleo", auth.Read, 0)
	s := start(t, Config{Tokens: path, Anonymous: auth.Write, Listen: []string{"127.0.0.1:0", "unix:" + socket}})
	for driver, dial := range dialers(s, socket) {
		t.Run(driver, func(t *testing.T) {
			grant("Eve-"+driver, auth.Write, time.Hour)
			s.Reload()
			watcher := dial(t, "/chat/room/"+driver, jsonProtocol)
			watcher.JSONOf("joined")
			sees := func(event, name string) {
				t.Helper()
				if m := watcher.JSONOf(event); m["username"] != name {
					t.Errorf("%v, want %s", m, name)
				}
			}
			open := map[string][]*edgetest.Client{}
			for name, header := range secrets {
				one := dial(t, "/chat/room/"+driver, jsonProtocol, header)
				one.JSONOf("subscribed")
				many := dial(t, "/chat", jsonProtocol, header)
				many.Text(`{"type":"join","room":"` + driver + `"}`)
				many.JSONOf("subscribed")
				many.Text(`{"type":"join","room":"attic"}`)
				many.JSONOf("subscribed")
				open[name] = []*edgetest.Client{one, many}
				sees("joined", name)
				sees("joined", name)
			}
			ended := func(name, why string) {
				t.Helper()
				for _, c := range open[name] {
					lostNow(t, c, why)
				}
				delete(open, name)
			}
			end := time.Now().Add(2 * time.Second).Truncate(time.Second)
			if err := rewrite(path, s.expiry(t, "Eve-"+driver).UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339)); err != nil {
				t.Fatal(err)
			}
			s.Reload()
			ended("Eve-"+driver, "has expired")
			sees("left", "Eve-"+driver)
			sees("left", "Eve-"+driver)
			if late := time.Until(s.expiry(t, "Eve-"+driver)); late > 0 || late < -20*time.Second {
				t.Errorf("closed %v after it expired", -late)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(auth.Revoke(path, "Ann"), rewrite(path, `"access":"moderate"`, `"access":"write"`), rewrite(path, `"access":"read"`, `"access":"write"`)); err != nil {
				t.Fatal(err)
			}
			s.Reload()
			ended("Ann", "taken back")
			ended("Bob", "allows less")
			left := map[any]int{}
			for range 4 {
				left[watcher.JSONOf("left")["username"]]++
			}
			if left["Ann"] != 2 || left["Bob"] != 2 {
				t.Errorf("left have %v", left)
			}
			for name, all := range open { // whose tokens allow as much as before, or more
				for _, c := range all {
					c.Text(`{"type":"ping"}`)
					c.JSONOf("pong")
				}
				if name != "Cleo" {
					t.Errorf("%s is still there", name)
				}
				all[0].Close()
				all[1].Close()
			}
			if err := os.WriteFile(path, before, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := auth.Revoke(path, "Eve-"+driver); err != nil {
				t.Fatal(err)
			}
			delete(secrets, "Eve-"+driver)
			s.Reload()
			watcher.Text(`{"type":"ping"}`) // who has no token stays
			watcher.JSONOf("pong")
		})
	}
	if !s.log.Has(`msg="tokens expired" closed=2`) || !s.log.Has("closed=4") || s.log.Has("edc_") {
		t.Errorf("the log:\n%s", s.log)
	}
}

// expiry is when a token of the file expires.
func (r *running) expiry(t *testing.T, name string) time.Time {
	t.Helper()
	list, err := auth.List(r.cfg.Tokens)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range list {
		if token.Name == name {
			return time.Unix(token.Expires, 0)
		}
	}
	t.Fatalf("there is no %s", name)
	return time.Time{}
}

// rewrite replaces a text in a file.
func rewrite(path, from, to string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return os.WriteFile(path, []byte(strings.ReplaceAll(string(raw), from, to)), 0o600)
}
