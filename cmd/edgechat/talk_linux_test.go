package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// stopsWithin ends the server in order, whatever it says about its disk, and fails if that takes longer.
func (b *board) stopsWithin(most time.Duration) {
	b.t.Helper()
	began := time.Now()
	b.signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { _ = b.cmd.Wait(); close(done) }()
	select {
	case <-done:
		if code := b.cmd.ProcessState.ExitCode(); code != 0 && code != 1 {
			b.t.Errorf("exit code %d\n%s", code, b.log)
		}
	case <-time.After(most):
		b.t.Errorf("SIGTERM %v ago, and it still runs\n%s", time.Since(began).Round(time.Second), b.log)
		_ = b.cmd.Process.Kill()
		<-done
	}
}

// lives fails the test unless /healthz answers at once.
func (b *board) lives(when string) {
	b.t.Helper()
	if status, body, err := b.get("/healthz", 2*time.Second); err != nil || status != 200 {
		b.t.Fatalf("%s: /healthz: %d %s, %v\n%s", when, status, body, err, b.log)
	}
}

func (b *board) get(path string, patience time.Duration) (status int, body string, err error) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + b.addr + path)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	p, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(p), err
}

// say publishes contents on one connection with keys, and waits for their acks.
func (b *board) say(room string, contents ...string) {
	b.t.Helper()
	c := edgetest.Dial(b.t, "http://"+b.addr+"/chat/room/"+room+"?username=x", "Sec-WebSocket-Protocol: edgechat.v1.json")
	defer c.Conn.Close()
	for i := 0; i < len(contents); {
		part := contents[i:min(i+50, len(contents))]
		for j, content := range part {
			c.Text(fmt.Sprintf(`{"type":"message","content":%q,"idempotency_key":"%d"}`, content, i+j))
		}
		for range part {
			if ack := c.JSONOf("ack"); ack["durable"] != true {
				b.t.Fatalf("%v\n%s", ack, b.log)
			}
		}
		i += len(part)
	}
}

// filler returns n messages of about a kilobyte.
func filler(n int) (contents []string) {
	for i := range n {
		contents = append(contents, strconv.Itoa(i)+strings.Repeat("x", 1000))
	}
	return contents
}

// files returns the regular files of the data folder that the server keeps messages in. One that it is making is gone in a moment.
func (b *board) files() (paths []string) {
	b.t.Helper()
	list, err := os.ReadDir(b.data)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range list {
		if st, err := f.Info(); err == nil && f.Type().IsRegular() && st.Size() > 0 && filepath.Ext(f.Name()) != ".new" {
			paths = append(paths, filepath.Join(b.data, f.Name()))
		}
	}
	if len(paths) == 0 {
		b.t.Fatalf("nothing is in %s", b.data)
	}
	return paths
}

// talk has two people talk in a room of their own until stop is called, which returns how long messages took to the
// other, the slowest last.
func (b *board) talk(t *testing.T) (stop func() []time.Duration) {
	t.Helper()
	alice := edgetest.Dial(t, "http://"+b.addr+"/chat/room/talk?username=alice", "Sec-WebSocket-Protocol: edgechat.v1.json")
	alice.JSONOf("subscribed")
	bob := edgetest.Dial(t, "http://"+b.addr+"/chat/room/talk?username=bob", "Sec-WebSocket-Protocol: edgechat.v1.json")
	bob.JSONOf("subscribed")
	return converse(t, alice.Conn, bob)
}

// converse sends a message each 10 ms from one to the other.
func converse(t *testing.T, from net.Conn, to *edgetest.Client) (stop func() []time.Duration) {
	quit, done := make(chan struct{}), make(chan []time.Duration)
	started := time.Now()
	go func() {
		for {
			select {
			case <-quit:
				_, _ = from.Write(edgetest.Frame(edgetest.OpText, []byte(`{"type":"message","content":"end"}`)))
				return
			case <-time.After(10 * time.Millisecond):
				text := fmt.Sprintf(`{"type":"message","content":"%d"}`, time.Since(started))
				if _, err := from.Write(edgetest.Frame(edgetest.OpText, []byte(text))); err != nil {
					return
				}
			}
		}
	}()
	go func() {
		var took []time.Duration
		defer func() { done <- took }()
		to.Timeout = 30 * time.Second
		for {
			op, p, err := to.Read()
			if err != nil {
				t.Errorf("who listens: %v", err)
				return
			}
			if op != edgetest.OpText {
				continue
			}
			m, err := decode(p)
			if err != nil || m.Type != "message" {
				continue
			}
			if m.Content == "end" {
				return
			}
			sent, err := strconv.ParseInt(m.Content, 10, 64)
			if err != nil {
				t.Errorf("%s: %v", p, err)
				return
			}
			took = append(took, time.Since(started)-time.Duration(sent))
		}
	}()
	return func() []time.Duration {
		close(quit)
		return sorted(<-done)
	}
}

func sorted(d []time.Duration) []time.Duration {
	slices.Sort(d)
	return d
}
