package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// The life of a service, as its manager hears it.
func TestNotify(t *testing.T) {
	m := newManager(t)
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, []byte("# nobody\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := runServe(t, nil, "NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=2000000",
		"EDGECHAT_LISTEN=127.0.0.1:0", "EDGECHAT_DATA="+t.TempDir(), "EDGECHAT_PING_INTERVAL=1s", "EDGECHAT_TOKENS="+tokens, "EDGECHAT_ANONYMOUS=write")
	ready := m.await(`READY=1\nSTATUS=listening on 127\.0\.0\.1:\d+, 0 connections in 0 rooms`, "EXTEND_TIMEOUT_USEC=15000000\nWATCHDOG=1") // a slow start extends
	addr := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(ready)
	resp, err := http.Get("http://" + addr + "/healthz")
	if err != nil || resp.StatusCode != 200 {
		t.Fatalf("when it is said to be ready: %v, %v", resp, err)
	}
	resp.Body.Close()

	began := time.Now()
	for range 3 {
		m.await("WATCHDOG=1", "")
	}
	if d := time.Since(began); d < 2*time.Second || d > 15*time.Second {
		t.Errorf("three signs of life took %v, want some 3 s", d)
	}
	c := edgetest.Dial(t, "http://"+addr+"/chat/room/den", "Sec-WebSocket-Protocol: edgechat.v1.json")
	c.JSONOf("subscribed")
	m.await("STATUS=listening on "+addr+", 1 connection in 1 room", "WATCHDOG=1")

	p.signal(syscall.SIGHUP)
	m.await(`RELOADING=1\nMONOTONIC_USEC=\d+`, "WATCHDOG=1")
	m.await("READY=1\nSTATUS=listening on "+addr+", 1 connection in 1 room", "WATCHDOG=1")
	p.await("tokens reloaded")
	m.await("WATCHDOG=1", "")

	// The client answers no close frame, which holds the stop for a second.
	p.signal(syscall.SIGTERM)
	m.await("STOPPING=1", "WATCHDOG=1")
	p.end()
	for got := m.next(10 * time.Millisecond); got != ""; got = m.next(10 * time.Millisecond) {
		if !strings.HasPrefix(got, "EXTEND_TIMEOUT_USEC=15000000\n") {
			t.Errorf("after STOPPING=1 it said %q", got)
		}
	}
	if strings.Contains(p.log.String(), "not alive") || strings.Contains(p.log.String(), "not told") {
		t.Errorf("log:\n%s", p.log)
	}
}

// A start that takes long asks for more time: this one waits for a file that another
// server has. It is never ready.
func TestNotifyStart(t *testing.T) {
	data := "EDGECHAT_DATA=" + t.TempDir()
	first := runServe(t, nil, data, "EDGECHAT_LISTEN=127.0.0.1:0")
	first.await("msg=listening")
	m := newManager(t)
	second := runServe(t, nil, data, "EDGECHAT_LISTEN=127.0.0.1:0", "NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=200000")
	for range 3 { // each 0.1 s
		m.await("EXTEND_TIMEOUT_USEC=15000000\nWATCHDOG=1", "")
	}
	_ = second.cmd.Wait()
	for got := m.next(10 * time.Millisecond); got != ""; got = m.next(10 * time.Millisecond) {
		if strings.Contains(got, "READY") {
			t.Errorf("it failed, and said %q", got)
		}
	}
	if !second.log.Has("another process uses the file") {
		t.Errorf("log:\n%s", second.log)
	}
}

// A drain that takes long asks for more time, and keeps the watchdog content.
func TestNotifyDrain(t *testing.T) {
	m := newManager(t)
	p := runServe(t, nil, "NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=600000", "EDGECHAT_DRAIN_TIMEOUT=2s",
		"EDGECHAT_LISTEN=127.0.0.1:0", "EDGECHAT_DATA="+t.TempDir(), "EDGECHAT_PING_INTERVAL=1s")
	addr := p.await(`addr=(127\.0\.0\.1:\d+)`)
	p.await("watchdog is too short")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = io.WriteString(conn, "POST /chat/room/den/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n")
	if err == nil {
		_, err = readHead(conn)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.signal(syscall.SIGTERM)
	m.await("STOPPING=1", "(?s)EXTEND_TIMEOUT_USEC=15000000\nWATCHDOG=1|READY=1.*|WATCHDOG=1") // a start that is slow extends, too
	for range 3 {                                                                              // each 0.3 s, while the request holds the stop for 2 s
		m.await("EXTEND_TIMEOUT_USEC=15000000\nWATCHDOG=1", "")
	}
	p.end()
}

// What is not alive is not said to be, and gets another chance until the manager
// kills it. That a held lock and a blocked loop are not alive is tested in server and ws.
func TestWatchdogStops(t *testing.T) {
	m := newManager(t)
	t.Setenv("NOTIFY_SOCKET", m.path)
	t.Setenv("WATCHDOG_USEC", "400000")
	t.Setenv("WATCHDOG_PID", "")
	log := new(edgetest.Log)
	s := newSupervisor(slog.New(slog.NewTextHandler(log, nil)))
	var stuck atomic.Bool
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		s.watch(ctx, func(ctx context.Context) error {
			if stuck.Load() {
				<-ctx.Done()
				return fmt.Errorf("the hub does not answer: %w", ctx.Err())
			}
			return nil
		}, func() string { return "fine" })
	})
	m.await("WATCHDOG=1", "")
	m.await("STATUS=fine", "WATCHDOG=1")
	m.await("WATCHDOG=1", "") // and no second STATUS, which says the same
	stuck.Store(true)
	said := 0
	for end := time.Now().Add(1200 * time.Millisecond); time.Now().Before(end); {
		if m.next(100*time.Millisecond) != "" {
			said++
		}
	}
	if said > 1 { // one may have been under way
		t.Errorf("the server is stuck, and says %d times that it is not", said)
	}
	if !log.Has(`msg="not alive" err="the hub does not answer`) {
		t.Errorf("log:\n%s", log)
	}
	stuck.Store(false)
	m.await("WATCHDOG=1", "")
	cancel()
	wg.Wait()
}
