package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

const jsonProtocol = "Sec-WebSocket-Protocol: edgechat.v1.json"

// TestStop stops a server under clients that publish without a pause: each is
// told why with 1012, and what was acked is in the file that the next server
// opens, in an epoch that goes on, since the stop was clean.
func TestStop(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	s := start(t, Config{Data: data, History: 100_000, DrainTimeout: time.Minute})
	const n = 8
	acked := make([]map[string]string, n) // key to id, of each client
	var started, ended sync.WaitGroup
	for i := range n {
		acked[i] = map[string]string{}
		c := edgetest.Dial(t, fmt.Sprintf("%s/chat/room/den?username=u%d", s.url, i), jsonProtocol)
		started.Add(1)
		ended.Go(func() { // ends with the close frame or the connection
			sent := 0
			send := func() {
				sent++
				text := fmt.Sprintf(`{"type":"message","content":"u%d-%d","idempotency_key":"u%[1]d-%[2]d"}`, i, sent)
				_, _ = c.Conn.Write(edgetest.Frame(edgetest.OpText, []byte(text))) // the reader sees why it fails
			}
			for range 4 {
				send()
			}
			for {
				op, p, err := c.Read()
				if err != nil {
					t.Errorf("client %d was cut without a close frame: %v", i, err)
					return
				}
				if op == edgetest.OpClose {
					if code := int(p[0])<<8 | int(p[1]); code != 1012 || !strings.Contains(string(p[2:]), "random time") {
						t.Errorf("client %d was closed with %d %q", i, code, p[2:])
					}
					_, _ = c.Conn.Write(edgetest.Frame(edgetest.OpClose, p[:2]))
					return
				}
				if op != edgetest.OpText {
					continue
				}
				var m struct {
					Type, ID string
					Key      string `json:"idempotency_key"`
					Durable  bool
				}
				if err := json.Unmarshal(p, &m); err != nil {
					t.Errorf("%q: %v", p, err)
				}
				if m.Type == "ack" {
					if len(acked[i]) == 0 {
						started.Done()
					}
					if !m.Durable {
						t.Errorf("client %d: %s", i, p)
					}
					acked[i][m.Key] = m.ID
					send()
				}
			}
		})
	}
	started.Wait()
	time.Sleep(100 * time.Millisecond)
	began := time.Now()
	if err := s.stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("the stop took %v though all clients answered", took)
	}
	ended.Wait()

	again := start(t, Config{Data: data, History: 100_000, ReplayLimit: 100_000})
	page := history(t, again, "den?limit=100000")
	ids := map[string]string{}
	for _, m := range page.Messages {
		ids[m.Content] = m.ID
	}
	total := 0
	for i := range acked {
		for key, id := range acked[i] {
			if ids[key] != id {
				t.Errorf("%s was acked as %s and is %q now", key, id, ids[key])
			}
			total++
		}
	}
	if total < n {
		t.Fatalf("%d acks: nothing was tested", total)
	}
	c := edgetest.Dial(t, again.url+"/chat/room/den?since="+page.ID, jsonProtocol)
	if m := c.JSONOf("subscribed"); m["recovered"] != true || m["id"] != page.ID {
		t.Errorf("after a clean stop the cursor %s gives %v", page.ID, m)
	}
	c.Text(`{"type":"message","content":"next"}`)
	next, _ := c.JSONOf("message")["id"].(string)
	if epoch, _, _ := strings.Cut(page.ID, "-"); !strings.HasPrefix(next, epoch+"-") {
		t.Errorf("after %s comes %s: a clean stop must not open an epoch", page.ID, next)
	}
}

// While it drains, a WebSocket is refused in words that a proxy understands.
func TestRefusedWhileStopping(t *testing.T) {
	s := start(t, Config{DrainTimeout: 3 * time.Second})
	// A peer that never answers the close frame holds the drain for a moment.
	stuck := edgetest.Dial(t, s.url+"/chat/room/den", jsonProtocol)
	stuck.JSONOf("subscribed")
	s.cancel()
	for end := time.Now().Add(30 * time.Second); !s.draining.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the stop does not begin")
		}
	}
	if code, _ := stuck.ExpectClose(); code != 1012 {
		t.Errorf("closed with %d", code)
	}
	c := edgetest.TryDial(t, s.url+"/chat/room/den", jsonProtocol)
	body, err := io.ReadAll(c.Response.Body)
	if err != nil || c.Response.StatusCode != http.StatusServiceUnavailable || c.Response.Header.Get("Retry-After") == "" || !strings.Contains(string(body), `"code":"unavailable"`) {
		t.Errorf("a new WebSocket: %s %v %q, %v", c.Response.Status, c.Response.Header, body, err)
	}
	if err := s.stop(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

type page struct {
	ID        string
	Recovered bool
	Messages  []struct {
		ID, Content, Username string
		Offset                uint64
	}
}

func history(t *testing.T, s *running, roomAndQuery string) page {
	t.Helper()
	room, query, _ := strings.Cut(roomAndQuery, "?")
	resp, body := fetch(t, "GET", s.url+"/chat/room/"+room+"/messages?"+query)
	var p page
	if err := json.Unmarshal([]byte(body), &p); err != nil || resp.StatusCode != 200 {
		t.Fatalf("history of %s: %s %v %.200s", room, resp.Status, err, body)
	}
	return p
}
