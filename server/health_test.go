package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

func fetch(t *testing.T, method, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// documented returns the bodies of /healthz and /readyz as docs/protocol.md has them.
func documented(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	var bodies []string
	for _, line := range regexp.MustCompile(`(?m)^    (\{"status".*)$`).FindAllStringSubmatch(string(text), -1) {
		bodies = append(bodies, line[1]+"\n")
	}
	if len(bodies) != 2 {
		t.Fatalf("docs/protocol.md has %d bodies with a status: %q", len(bodies), bodies)
	}
	return bodies
}

func TestHealth(t *testing.T) {
	s := start(t, Config{})
	for _, path := range []string{"/healthz", "/readyz"} {
		resp, body := fetch(t, "GET", s.url+path)
		if resp.StatusCode != 200 || body != documented(t)[0] || resp.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("GET %s: %s %v %q", path, resp.Status, resp.Header, body)
		}
		head, body := fetch(t, "HEAD", s.url+path)
		if head.StatusCode != 200 || body != "" || head.Header.Get("Content-Type") != resp.Header.Get("Content-Type") {
			t.Errorf("HEAD %s: %s %q", path, head.Status, body)
		}
		if resp, _ := fetch(t, "POST", s.url+path); resp.StatusCode != 405 || !strings.Contains(resp.Header.Get("Allow"), "GET") {
			t.Errorf("POST %s: %s, Allow %q", path, resp.Status, resp.Header.Get("Allow"))
		}
	}
	if resp, body := fetch(t, "GET", s.url+"/nothing"); resp.StatusCode != 404 || !strings.Contains(body, `"code":"not_found"`) {
		t.Errorf("GET /nothing: %s %q", resp.Status, body)
	}
}

// While it drains, a server is alive but not ready.
func TestDraining(t *testing.T) {
	s := start(t, Config{})
	s.draining.Store(true)
	if resp, body := fetch(t, "GET", s.url+"/readyz"); resp.StatusCode != 503 || body != documented(t)[1] || resp.Header.Get("Retry-After") == "" {
		t.Errorf("/readyz: %s %q", resp.Status, body)
	}
	if resp, _ := fetch(t, "GET", s.url+"/healthz"); resp.StatusCode != 200 {
		t.Errorf("/healthz: %s", resp.Status)
	}
}

func TestRequestLimits(t *testing.T) {
	s := start(t, Config{HeaderTimeout: 200 * time.Millisecond, MaxHeaderBytes: 1 << 10})

	c := s.dial()
	fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("x", 8<<10))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil || resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a head of 8 KiB: %v, %v; want 431", resp, err)
	}

	// Somebody who never finishes the head holds a connection for a while, not for ever.
	c = s.dial()
	fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost:")
	began := time.Now()
	if _, err := io.ReadAll(c); err != nil {
		t.Errorf("half a head: %v", err)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("half a head held the connection for %v", took)
	}
}

func TestStopLog(t *testing.T) {
	s := start(t, Config{})
	fetch(t, "GET", s.url+"/healthz")
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"msg=listening addr=" + s.addr(0).String() + " url=" + s.url, "msg=stopping", "msg=stopped"} {
		if !s.log.Has(want) {
			t.Errorf("the log lacks %q:\n%s", want, s.log)
		}
	}
}

// The time that a request has is not that of a WebSocket.
func TestRequestTimeout(t *testing.T) {
	s := start(t, Config{MessageTimeout: 300 * time.Millisecond})
	c := edgetest.Dial(t, s.url+"/chat/room/den", jsonProtocol)
	c.JSONOf("subscribed")

	body := s.dial() // a body that never comes
	fmt.Fprint(body, "POST /chat/room/den/messages HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nab")
	began := time.Now()
	if _, err := io.ReadAll(body); err != nil {
		t.Errorf("half a body: %v", err)
	}
	if took := time.Since(began); took < 200*time.Millisecond || took > 15*time.Second {
		t.Errorf("half a body held the connection for %v", took)
	}

	time.Sleep(400 * time.Millisecond)
	c.Text(`{"type":"message","content":"still here"}`)
	if m := c.JSONOf("message"); m["content"] != "still here" {
		t.Errorf("%v", m)
	}
}

// A listener that breaks ends the server, in order, with the reason.
func TestListenerBreaks(t *testing.T) {
	s := start(t, Config{Listen: []string{"127.0.0.1:0", "127.0.0.1:0"}})
	fetch(t, "GET", s.url+"/healthz")
	raw, err := s.listeners[1].(*net.TCPListener).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := raw.Control(func(fd uintptr) { err = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) }); err != nil {
		t.Fatal(err)
	}
	select {
	case <-s.served:
	case <-time.After(30 * time.Second):
		t.Fatal("Serve goes on")
	}
	if addr := s.addr(1).String(); s.err == nil || !strings.Contains(s.err.Error(), "accept on "+addr) {
		t.Errorf("Serve returned %v", s.err)
	}
	if !s.log.Has("msg=stopped") {
		t.Errorf("it did not stop in order:\n%s", s.log)
	}
}
