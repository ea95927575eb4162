package server

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/admin"
	"edgechat/auth"
	"edgechat/internal/edgetest"
)

// signs waits until all of these are there: lines of the log, samples of a scrape, lines of the page of a status.
func signs(t *testing.T, s *running, c *admin.Client, log, samples, page []string) {
	t.Helper()
	until(t, "sign of it", func() error {
		st, err := c.Status(t.Context())
		if err != nil {
			return err
		}
		var text strings.Builder
		if _, err := st.WriteTo(&text); err != nil {
			return err
		}
		for where, list := range map[string][]string{s.log.String(): log, scrape(t, s): samples, text.String(): page} {
			for _, re := range list {
				if !regexp.MustCompile("(?m)" + re).MatchString(where) {
					return errors.New("nothing matches " + re + " in\n" + where)
				}
			}
		}
		return nil
	})
}

// TestSignOfLostFolder: the folder of the data is gone, and a file is in its place.
func TestSignOfLostFolder(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s, c := startAdmin(t, Config{Data: data})
	if err := errors.Join(os.RemoveAll(data), os.WriteFile(data, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	in := edgetest.Dial(t, s.url+"/chat/room/den", jsonProtocol)
	in.Text(`{"type":"message","content":"hello","idempotency_key":"k"}`)
	if ack := in.JSONOf("ack"); ack["durable"] != false {
		t.Errorf("%v", ack)
	}
	signs(t, s, c, []string{`level=ERROR msg="store degraded"`}, []string{`^edgechat_store_degraded 1$`, `^edgechat_store_pending_messages 1$`},
		[]string{`^state +degraded$`, `^store .*NOT on the card: in memory alone$`, `^PROBLEM: store: .*messages are in memory alone since`, `^  to do: ` + data + ` is gone, or no folder any more: `})
	resp, body := fetch(t, "GET", s.url+"/readyz")
	if resp.StatusCode != 503 || !strings.Contains(body, `"problems":[{"code":"store","message":"store: `) || !strings.Contains(body, `"hint":"`+data+` is gone`) {
		t.Errorf("/readyz: %s %s", resp.Status, body)
	}
	if err := os.Remove(data); err != nil {
		t.Fatal(err)
	}
	signs(t, s, c, []string{`msg="store recovered"`}, []string{`^edgechat_store_degraded 0$`}, []string{`^state +ok$`, `^Nothing is wrong.$`})
}

// TestSignOfSlowClient: somebody takes nothing of what a busy room says.
func TestSignOfSlowClient(t *testing.T) {
	s, c := startAdmin(t, Config{WriteTimeout: 300 * time.Millisecond})
	edgetest.Dial(t, s.url+"/chat/room/den") // and never reads
	var closed atomic.Bool
	busy := edgetest.Dial(t, s.url+"/chat/room/den")
	ended := make(chan struct{})
	go func() { // until closed
		defer close(ended)
		text := edgetest.Frame(edgetest.OpText, []byte(`{"type":"message","content":"`+strings.Repeat("x", 3000)+`"}`))
		for !closed.Load() {
			if _, err := busy.Conn.Write(text); err != nil {
				return
			}
			if _, _, err := busy.Read(); err != nil {
				return
			}
		}
	}()
	signs(t, s, c, nil, []string{`^edgechat_slow_consumers_total [1-9]`, `^edgechat_websockets_closed_total\{code="1013"\} [1-9]`}, []string{` [1-9]\d* were closed as too slow$`})
	closed.Store(true)
	_ = busy.Conn.Close()
	<-ended
}

// TestSignOfFlood: somebody sends more than he may, and what is no message.
func TestSignOfFlood(t *testing.T) {
	s, c := startAdmin(t, Config{})
	in := edgetest.Dial(t, s.url+"/chat/room/den", jsonProtocol)
	for range 3 {
		in.Text("nonsense")
	}
	signs(t, s, c, nil, []string{`^edgechat_frames_rejected_total\{reason="invalid_message"\} [1-9]`}, []string{`^  from +127.0.0.1 \(1\)$`})
}

// TestSignOfRevokedToken: a token was taken back, and its owner goes on.
func TestSignOfRevokedToken(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	token, err := auth.Create(tokens, auth.Grant{Name: "ann", Access: auth.Write})
	if err != nil {
		t.Fatal(err)
	}
	s, c := startAdmin(t, Config{Tokens: tokens})
	ask := func() int {
		t.Helper()
		resp, _ := fetch(t, "GET", s.url+"/chat/room/den/messages?token="+token)
		return resp.StatusCode
	}
	if got := ask(); got != http.StatusOK {
		t.Fatalf("with the token: %d", got)
	}
	open := edgetest.Dial(t, s.url+"/chat/room/den", jsonProtocol, "Authorization: Bearer "+token)
	open.JSONOf("subscribed")
	if err := auth.Revoke(tokens, "ann"); err != nil {
		t.Fatal(err)
	}
	if r, err := c.Reload(t.Context()); err != nil || r.Tokens != 0 || r.Closed != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	for range 3 {
		if got := ask(); got != http.StatusUnauthorized {
			t.Errorf("with what was revoked: %d", got)
		}
	}
	signs(t, s, c, []string{`msg=refused code=unauthorized addr=127.0.0.1:\d+ path=/chat/room/den/messages others=0`, `act=reload by="uid`, `msg="tokens reloaded" path=\S+ tokens=0 closed=1`},
		[]string{`^edgechat_requests_refused_total\{reason="unauthorized"\} 3$`}, []string{`^access +who has a token may do what it allows, and nobody else anything$`})
	if n := strings.Count(s.log.String(), "msg=refused"); n != 1 || s.log.Has(token) {
		t.Errorf("told %d times:\n%s", n, s.log)
	}
}
