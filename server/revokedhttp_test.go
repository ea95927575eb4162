package server

import (
	"bufio"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/auth"
	"edgechat/internal/edgetest"
)

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
	for end := time.Now().Add(30 * time.Second); s.router.Stats().Waits == 0; time.Sleep(5 * time.Millisecond) { // the guards have let it in
		if time.Now().After(end) {
			t.Fatal("it does not wait")
		}
	}
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
