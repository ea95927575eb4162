package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/auth"
	"edgechat/cert"
	"edgechat/internal/edgetest"
)

// TestLostWithinASecond: whatever was opened with a token has ended a second after that expires, and after it was taken back, by each
// way of coming in, for tokens of a file and signed ones. For as long as the machine holds up the test's own timer it may take longer.
func TestLostWithinASecond(t *testing.T) {
	dir := t.TempDir()
	tokens, key, socket := filepath.Join(dir, "tokens"), filepath.Join(dir, "key"), filepath.Join(dir, "s")
	grant := func(name string, expires time.Time) string {
		token, err := auth.Create(tokens, auth.Grant{Name: name, Access: auth.Write, Expires: expires})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	grant("Guest", time.Time{})
	setKey := func(secret string) {
		if err := os.WriteFile(key, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	setKey(secretA)
	authority := local(t)
	s := start(t, Config{Tokens: tokens, JWTKey: key, Listen: []string{"127.0.0.1:0", "unix:" + socket}, TLSListen: []string{"127.0.0.1:0"},
		TLSCert: filepath.Join(authority, cert.ServerCert), TLSKey: filepath.Join(authority, cert.ServerKey)})
	w := &ways{t: t, url: s.url, tcp: s.addr(0).String(), socket: socket, secure: s.secure[0].Addr().String(), trust: trusting(t, authority)}
	w.waiting = func() int { return int(s.router.Stats().Waits) }
	if _, body := post(t, s, "den", signed(t, secretA, claimsOf("Poster", time.Hour)), "first"); !w.after(body) {
		t.Fatal(body)
	}

	t.Run("revoked", func(t *testing.T) {
		own, foreign := grant("Ann", time.Time{}), signed(t, secretA, claimsOf("Cleo", time.Hour))
		s.Reload()
		ends := w.open(time.Now().Add(30*time.Second), own, foreign)
		setKey(secretB)
		if err := auth.Revoke(tokens, "Ann"); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var reloading sync.WaitGroup
		reloading.Go(s.Reload) // beside the measure of what holds up the machine
		within(t, began, ends)
		reloading.Wait()
		setKey(secretA)
	})
	t.Run("expired", func(t *testing.T) {
		for life := 3 * time.Second; ; life *= 2 { // until all are open before it is over
			end := time.Now().Add(life).Truncate(time.Second)
			claims := claimsOf("Cleo", 0)
			claims["exp"] = end.Unix()
			name := fmt.Sprint("Bob", life)
			own, foreign := grant(name, end), signed(t, secretA, claims)
			s.Reload()
			ends := w.open(end, own, foreign)
			if ends == nil && life < time.Minute {
				continue
			}
			within(t, end, ends)
			return
		}
	})
}

// ways are those of coming in.
type ways struct {
	t                        *testing.T
	url, tcp, socket, secure string
	trust                    *tls.Config
	first                    string     // the id of a message, behind which a poll waits
	waiting                  func() int // polls
}

func (w *ways) after(body string) bool {
	_, id, ok := strings.Cut(body, `"id":"`)
	w.first, _, _ = strings.Cut(id, `"`)
	return ok
}

// An ending is how something that was open has ended, and when.
type ending struct {
	way, said string
	at        time.Time
}

// open opens each of them with each token, which lasts until then, and returns their endings as they come; nil if a token was not
// taken any more.
func (w *ways) open(until time.Time, tokens ...string) chan ending {
	w.t.Helper()
	var waits []func()
	ends := make(chan ending, 100)
	for i, token := range tokens {
		for way, open := range map[string]func(token string) (wait func() string, err error){
			"loop":      func(token string) (func() string, error) { return w.socketOver("tcp", w.tcp, false, token) },
			"goroutine": func(token string) (func() string, error) { return w.socketOver("unix", w.socket, false, token) },
			"TLS":       func(token string) (func() string, error) { return w.socketOver("tcp", w.secure, true, token) },
			"events":    func(token string) (func() string, error) { return w.get("/chat/room/den/events", "", token) },
			"lines": func(token string) (func() string, error) {
				return w.get("/chat/room/den/events", "application/x-ndjson", token)
			},
			"poll": func(token string) (func() string, error) {
				return w.get("/chat/room/den/messages?wait=25&since="+w.first, "", token)
			},
		} {
			wait, err := open(token)
			if errors.Is(err, errExpired) {
				for _, f := range waits {
					f() // they end by themselves
				}
				return nil
			}
			if err != nil {
				w.t.Fatalf("%s: %v", way, err)
			}
			waits = append(waits, func() { said := wait(); ends <- ending{fmt.Sprint(way, " ", i), said, time.Now()} })
		}
	}
	for w.waiting() < len(tokens) && time.Now().Before(until) {
		time.Sleep(time.Millisecond)
	}
	var wg sync.WaitGroup
	for _, f := range waits {
		wg.Go(f)
	}
	go func() { wg.Wait(); close(ends) }() // ends with them
	return ends
}

var errExpired = errors.New("the token is not taken any more")

func (w *ways) socketOver(network, addr string, sealed bool, token string) (wait func() string, err error) {
	conn, err := net.Dial(network, addr)
	if err != nil {
		return nil, err
	}
	if sealed {
		cfg := w.trust.Clone()
		cfg.ServerName = "board.local"
		conn = tls.Client(conn, cfg)
	}
	c := edgetest.NewClient(w.t, conn)
	w.t.Cleanup(func() { _ = conn.Close() })
	c.Raw([]byte(edgetest.Handshake(&url.URL{Host: "board.local", Path: "/chat/room/den"}, jsonProtocol, "Authorization: Bearer "+token)))
	switch c.ReadResponse(); c.Response.StatusCode {
	case 101:
	case 401:
		return nil, errExpired
	default:
		return nil, errors.New(c.Response.Status)
	}
	return func() string {
		for {
			opcode, payload, err := c.Read()
			if err != nil {
				return err.Error()
			}
			if opcode == edgetest.OpClose && len(payload) > 2 {
				return fmt.Sprint(int(payload[0])<<8|int(payload[1]), " ", string(payload[2:]))
			}
		}
	}, nil
}

// get asks, and returns the end of the answer. A poll has no beginning of one: that it waits, the server knows.
func (w *ways) get(path, accept, token string) (wait func() string, err error) {
	req, err := http.NewRequest("GET", w.url+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", accept)
	answer := make(chan *http.Response, 1)
	failed := make(chan error, 1)
	ask := func() {
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			failed <- err
			return
		}
		answer <- resp
	}
	whole := func() string {
		select {
		case err := <-failed:
			return err.Error()
		case resp := <-answer:
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			return fmt.Sprint(resp.StatusCode, " ", string(body), err)
		}
	}
	if strings.Contains(path, "wait=") {
		go ask() // ends with the answer, which is waited for
		return whole, nil
	}
	ask()
	select {
	case err := <-failed:
		return nil, err
	case resp := <-answer:
		if resp.StatusCode == 401 {
			resp.Body.Close()
			return nil, errExpired
		}
		answer <- resp
	}
	return whole, nil
}

// within reports what ended more than a second after it should have, or in another way.
func within(t *testing.T, due time.Time, ends chan ending) {
	t.Helper()
	const step, most = 5 * time.Millisecond, time.Second
	var stalled time.Duration // since the wait began
	ticker := time.NewTicker(step)
	defer ticker.Stop()
	patience := time.After(time.Until(due) + 30*time.Second)
	for n, last := 0, time.Now(); ; {
		select {
		case <-patience:
			t.Fatalf("%d have ended within 30 s", n)
		case <-ticker.C:
			now := time.Now()
			if late := now.Sub(last) - step; late > 2*step && now.After(due) {
				stalled += late
			}
			last = now
		case e, more := <-ends:
			if !more {
				if n != 12 {
					t.Errorf("%d have ended", n)
				}
				t.Logf("the machine stood still for %v", stalled)
				return
			}
			n++
			late := e.at.Sub(due)
			t.Logf("%s: after %v", e.way, late.Round(time.Millisecond))
			if late < 0 || late > most+stalled {
				t.Errorf("%s ended after %v: %s", e.way, late, e.said)
			}
			want := "1008 token_revoked: "
			if strings.HasPrefix(e.way, "poll") {
				want = "401 "
			}
			if !strings.HasPrefix(e.said, want) && !(strings.HasPrefix(e.said, "200 ") && strings.Contains(e.said, `"code":1008`) && strings.Contains(e.said, "token_revoked")) {
				t.Errorf("%s: %s", e.way, e.said)
			}
		}
	}
}
