package server

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/auth"
	"edgechat/chat"
	"edgechat/codec"
	"edgechat/internal/edgetest"
	"edgechat/ws"
)

// The settings reach the parts that they are for.
func TestSettingsArrive(t *testing.T) {
	s := start(t, Config{MaxContent: 100, ReplayLimit: 3, RoomsPerConnection: 7, History: 5, PingInterval: 7_000_000_000, AllowedOrigins: []string{"https://chat.example"}})
	for i := range 8 {
		if status, body := post(t, s, "den", "", fmt.Sprintf("m%d", i)); status != 201 {
			t.Fatalf("post: %d %s", status, body)
		}
	}
	if status, _ := post(t, s, "den", "", strings.Repeat("x", 101)); status/100 != 4 {
		t.Errorf("MaxContent: 101 bytes are answered with %d", status)
	}
	if p := history(t, s, "den"); len(p.Messages) != 3 || p.Messages[2].Content != "m7" {
		t.Errorf("ReplayLimit: %+v", p.Messages)
	}
	if p := history(t, s, "den?before="+history(t, s, "den").Messages[0].ID); len(p.Messages) != 2 || p.Messages[0].Content != "m3" {
		t.Errorf("History: before the newest 3 of 5 are %+v", p.Messages)
	}
	c := edgetest.Dial(t, s.url+"/chat/room/den", jsonProtocol, "Origin: https://chat.example")
	if m := c.JSONOf("subscribed"); m["max_content_bytes"] != 100.0 || m["ping_interval_ms"] != 7000.0 {
		t.Errorf("subscribed: %v", m)
	}
	many := edgetest.Dial(t, s.url+"/chat", jsonProtocol)
	if m := many.JSONOf("welcome"); m["max_rooms"] != 7.0 {
		t.Errorf("RoomsPerConnection: %v", m)
	}
	many.Close()
	if r := edgetest.TryDial(t, s.url+"/chat/room/den", "Origin: https://evil.example").Response; r.StatusCode != 403 {
		t.Errorf("AllowedOrigins: a page from elsewhere: %s", r.Status)
	}
	stats := s.Stats()
	if stats.WS.Open != 1 || stats.Hub.Members != 1 || stats.Store.Written != 8 {
		t.Errorf("Stats: %+v", stats)
	}
}

// What is not set is the default of the package that knows it.
func TestDefaultsArrive(t *testing.T) {
	s := start(t, Config{})
	c := edgetest.Dial(t, s.url+"/chat/room/den", jsonProtocol)
	m := c.JSONOf("subscribed")
	welcome := edgetest.Dial(t, s.url+"/chat", jsonProtocol).JSONOf("welcome")
	if welcome["max_rooms"] != float64(chat.DefaultRoomsPerConnection) {
		t.Errorf("welcome: %v", welcome)
	}
	if m["max_content_bytes"] != float64(codec.DefaultMaxContent) || m["ping_interval_ms"] != float64(ws.DefaultPingInterval.Milliseconds()) {
		t.Errorf("subscribed: %v", m)
	}
}

func TestTokens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	create := func(name string, access auth.Access, rooms ...string) string {
		token, err := auth.Create(path, auth.Grant{Name: name, Access: access, Rooms: rooms})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	ann := create("Ann", auth.Write, "den")
	s := start(t, Config{Tokens: path})
	dial := func(room, token string) int {
		c := edgetest.TryDial(t, s.url+"/chat/room/"+room, jsonProtocol, "Authorization: Bearer "+token)
		return c.Response.StatusCode
	}
	if r := edgetest.TryDial(t, s.url+"/chat/room/den").Response; r.StatusCode != 401 || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("without a token: %s %v", r.Status, r.Header)
	}
	if got := dial("den", ann); got != 101 {
		t.Errorf("Ann in her room: %d", got)
	}
	if got := dial("hall", ann); got != 403 {
		t.Errorf("Ann elsewhere: %d", got)
	}
	if got := dial("den", "edc_wrong"); got != 401 {
		t.Errorf("a wrong token: %d", got)
	}

	bob := create("Bob", auth.Read)
	if got := dial("den", bob); got != 401 {
		t.Errorf("Bob before Reload: %d", got)
	}
	if err := auth.Revoke(path, "Ann"); err != nil {
		t.Fatal(err)
	}
	s.Reload()
	if got := dial("den", bob); got != 101 {
		t.Errorf("Bob after Reload: %d", got)
	}
	if got := dial("den", ann); got != 401 {
		t.Errorf("Ann after she was revoked: %d", got)
	}
	if status, _ := post(t, s, "den", bob, "x"); status != 403 {
		t.Errorf("Bob, who may read, writes: %d", status)
	}
	// The pages hold no secret, and are where a token is typed in.
	if resp, body := fetch(t, "GET", s.url+"/"); resp.StatusCode != 200 || !strings.Contains(body, "<html") {
		t.Errorf("GET /: %s", resp.Status)
	}
	for _, secret := range []string{ann, bob, "edc_"} {
		if s.log.Has(secret) {
			t.Errorf("the log shows a token:\n%s", s.log)
		}
	}
}

func TestAnonymous(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	if _, err := auth.Create(path, auth.Grant{Name: "Ann", Access: auth.Write}); err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Tokens: path, Anonymous: auth.Read})
	if r := edgetest.TryDial(t, s.url+"/chat/room/den", jsonProtocol).Response; r.StatusCode != 101 {
		t.Errorf("who may read joins: %s", r.Status)
	}
	if status, body := post(t, s, "den", "", "x"); status != 401 {
		t.Errorf("who may only read writes: %d %s", status, body)
	}
}

// Intervals reach the parts that they are for.
func TestIntervals(t *testing.T) {
	s := start(t, Config{SyncInterval: 30 * time.Second, PingInterval: 2 * time.Second})
	c := edgetest.Dial(t, s.url+"/chat/room/den", jsonProtocol)
	c.JSONOf("subscribed")
	c.Text(`{"type":"message","content":"nobody waits for this one"}`)
	c.JSONOf("message")
	for range 2 { // longer than the default of SyncInterval, 1 s
		c.Expect(edgetest.OpPing)
		c.Raw(edgetest.Frame(edgetest.OpPong, nil))
	}
	if st := s.Stats().Store; st.Written != 0 || st.Pending != 1 {
		t.Errorf("SyncInterval: %d messages written, %d pending", st.Written, st.Pending)
	}
}

func post(t *testing.T, s *running, room, token, text string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/chat/room/"+room+"/messages?username=nas", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	req.Header.Set("Content-Type", "text/plain")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// TestPollOutlasts: a request may wait for longer than a request may take to arrive, and its connection takes the next one.
func TestPollOutlasts(t *testing.T) {
	s := start(t, Config{MessageTimeout: 500 * time.Millisecond})
	c := s.dial()
	br := bufio.NewReader(c)
	for i := range 2 {
		fmt.Fprintf(c, "GET /chat/room/den/messages?since=all&wait=2 HTTP/1.1\r\nHost: localhost\r\n\r\n")
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != 200 || resp.Close || !strings.Contains(string(body), `"messages":[]`) {
			t.Errorf("%d: %s %s %v", i, resp.Status, body, err)
		}
	}
}
