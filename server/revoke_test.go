package server

import (
	"bufio"
	"errors"
	"net"
	"net/http"
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

// TestRevokedStream: what is read over plain HTTP ends too.
func TestRevokedStream(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	token, err := auth.Create(path, auth.Grant{Name: "Ann", Access: auth.Write})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Tokens: path})
	req, err := http.NewRequest("GET", s.url+"/chat/room/den/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() && !strings.Contains(lines.Text(), "subscribed") {
	}
	if err := auth.Revoke(path, "Ann"); err != nil {
		t.Fatal(err)
	}
	s.Reload()
	var said strings.Builder
	for lines.Scan() { // to its end
		said.WriteString(lines.Text() + "\n")
	}
	if s := said.String(); !strings.Contains(s, `"code":1008`) || !strings.Contains(s, "token_revoked: the token was taken back") || lines.Err() != nil {
		t.Errorf("%v, %s", lines.Err(), s)
	}
}

// TestRevokedPoll: a request that waits for what is said is answered with 401.
func TestRevokedPoll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	token, err := auth.Create(path, auth.Grant{Name: "Ann", Access: auth.Write})
	if err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Tokens: path})
	if status, body := post(t, s, "den", token, "first"); status != 201 {
		t.Fatalf("%d %s", status, body)
	}
	_, page := fetch(t, "GET", s.url+"/chat/room/den/messages?token="+token)
	_, id, _ := strings.Cut(page, `"id":"`)
	id, _, _ = strings.Cut(id, `"`)
	answered := make(chan int, 1)
	go func() { // ends with the answer, which is waited for
		resp, err := http.Get(s.url + "/chat/room/den/messages?since=" + id + "&wait=25&token=" + token)
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	time.Sleep(300 * time.Millisecond) // so that it most likely waits; if it does not yet, the answer is the same
	if err := auth.Revoke(path, "Ann"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if r, err := s.reload(); err != nil {
			t.Fatal(err)
		} else if r.Closed == 1 || time.Now().After(end) {
			break
		}
		// Not there yet: it is let in anew.
		if len(answered) > 0 {
			break
		}
	}
	if got := <-answered; got != 401 {
		t.Errorf("answered %d", got)
	}
}

// TestRevokedAtOnce: whoever comes in while his token is taken back does not stay, however the two meet.
func TestRevokedAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	if _, err := auth.Create(path, auth.Grant{Name: "Mod", Access: auth.Write}); err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Tokens: path})
	for range 20 {
		token, err := auth.Create(path, auth.Grant{Name: "Ann", Access: auth.Write})
		if err != nil {
			t.Fatal(err)
		}
		s.Reload()
		var clients []*edgetest.Client
		for range 8 {
			conn, err := net.Dial("tcp", s.addr(0).String())
			if err != nil {
				t.Fatal(err)
			}
			c := edgetest.NewClient(t, conn)
			c.Raw([]byte(edgetest.Handshake(&url.URL{Host: s.addr(0).String(), Path: "/chat/room/den"}, jsonProtocol, "Authorization: Bearer "+token)))
			clients = append(clients, c)
		}
		if err := auth.Revoke(path, "Ann"); err != nil {
			t.Fatal(err)
		}
		s.Reload()
		for _, c := range clients {
			switch c.ReadResponse(); c.Response.StatusCode {
			case 101:
				lostNow(t, c, "taken back")
			case 401:
			default:
				t.Error(c.Response.Status)
			}
			c.Close()
		}
	}
}

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
