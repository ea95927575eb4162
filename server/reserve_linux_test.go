package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/admin"
	"edgechat/internal/edgetest"
)

// childFolder, if set, makes the test binary a server with few descriptors.
const childFolder = "EDGETEST_RESERVE"

// fewDescriptors is what "ulimit -n 256" leaves.
const fewDescriptors = 256

// TestFewDescriptorsServer is no test but the server of TestFewDescriptors, in a process of its own.
func TestFewDescriptorsServer(t *testing.T) {
	folder := os.Getenv(childFolder)
	if folder == "" {
		t.Skip("TestFewDescriptors runs it")
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: fewDescriptors, Max: fewDescriptors}); err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{
		Listen: []string{"0.0.0.0:0"}, Data: filepath.Join(folder, "data"), Admin: filepath.Join(folder, "admin.sock"),
		HeaderTimeout: 10 * time.Minute, // who says nothing stays as long as the test takes
		Tokens:        filepath.Join(folder, "tokens"), Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "addr"), []byte(s.listeners[0].Addr().String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { // until the parent closes the pipe
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	if err := s.Serve(ctx); err != nil {
		t.Fatal(err)
	}
}

// TestFewDescriptors: 400 connections that say nothing take all descriptors that they can get, again and again. Somebody on
// the machine still asks how the server is, over its socket and by /healthz, and has it read its tokens again; others are told to come back;
// it is told once a minute, and over when they are gone.
func TestFewDescriptors(t *testing.T) {
	folder := t.TempDir()
	tokens := filepath.Join(folder, "tokens")
	if err := os.WriteFile(tokens, []byte("# nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	log := new(edgetest.Log)
	cmd := exec.Command(os.Args[0], "-test.run=^TestFewDescriptorsServer$", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), childFolder+"="+folder)
	cmd.Stderr, cmd.Stdout = log, log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the server: %v\n%s", err, log)
		}
	})
	client := admin.NewClient(filepath.Join(folder, "admin.sock"))
	until(t, "server", func() error { _, err := client.Status(t.Context()); return err })
	addr, err := os.ReadFile(filepath.Join(folder, "addr"))
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(string(addr))

	// From this machine by another address, if it has one: that is no loopback.
	from := "127.0.0.1"
	for _, ip := range localHosts() {
		if ip.Is4() {
			from = ip.String()
		}
	}
	var silent []net.Conn
	connect := func() {
		t.Helper()
		c, err := net.DialTimeout("tcp", net.JoinHostPort(from, port), 30*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		silent = append(silent, c)
	}
	defer func() {
		for _, c := range silent {
			c.Close()
		}
	}()
	for range 400 {
		connect()
	}
	health := func(host string) error {
		c, err := net.DialTimeout("tcp", net.JoinHostPort(host, port), 30*time.Second)
		if err != nil {
			return err
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		fmt.Fprint(c, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil && resp.StatusCode != 200 {
			err = fmt.Errorf("%s", resp.Status)
		}
		return err
	}
	var st admin.Status
	until(t, "lack of descriptors", func() (err error) {
		if st, err = client.Status(t.Context()); err == nil && (st.Process.Descriptors < fewDescriptors-64-16 || len(st.Problems) == 0) {
			err = fmt.Errorf("%+v", st)
		}
		return err
	})
	if st.State != "degraded" || st.Problems[0].Code != "descriptors" || !strings.Contains(st.Problems[0].Hint, "LimitNOFILE") || st.Process.Descriptors >= fewDescriptors {
		t.Errorf("%+v", st)
	}
	if len(st.Connections.Peers) == 0 || st.Connections.Peers[0].Address != from || st.Connections.Peers[0].Connections < 100 {
		t.Errorf("the status does not say from where they come: %+v", st.Connections)
	}
	for range 3 {
		until(t, "/healthz for this machine", func() error { return health("127.0.0.1") })
	}
	if r, err := client.Reload(t.Context()); err != nil || r.Path != tokens {
		t.Errorf("reload: %+v, %v", r, err)
	}
	refused := edgetest.TryDial(t, "ws://"+net.JoinHostPort(from, port)+"/chat/room/den")
	if refused.Response.StatusCode != http.StatusServiceUnavailable || refused.Response.Header.Get("Retry-After") == "" {
		t.Errorf("a WebSocket: %s", refused.Response.Status)
	}
	if n := strings.Count(log.String(), "no descriptors for more connections"); n < 1 || n > 2 || strings.Contains(log.String(), "accept failed") {
		t.Errorf("told %d times:\n%s", n, log)
	}
	for _, c := range silent {
		c.Close()
	}
	silent = nil
	until(t, "/healthz for others, once they are gone", func() error { return health(from) })
}
