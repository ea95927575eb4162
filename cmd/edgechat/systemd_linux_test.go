package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
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

var silence = flag.Duration("silence", 2*time.Second, "how long TestSilence listens")

// A manager is what a service manager is to the server: a socket that is told
// how it is, and the process.
type manager struct {
	t    *testing.T
	c    *net.UnixConn
	path string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &manager{t, c, path}
}

// next returns the next datagram, or "" if there is none within patience.
func (m *manager) next(patience time.Duration) string {
	m.t.Helper()
	b := make([]byte, 4096)
	_ = m.c.SetReadDeadline(time.Now().Add(patience))
	n, err := m.c.Read(b)
	if err != nil && !os.IsTimeout(err) {
		m.t.Fatal(err)
	}
	return string(b[:n])
}

// await returns the next datagram that matches and is not one of the others that
// are allowed to come before it.
func (m *manager) await(want, others string) string {
	m.t.Helper()
	for {
		got := m.next(20 * time.Second)
		if regexp.MustCompile(`^(?:` + want + `)$`).MatchString(got) {
			return got
		}
		if got == "" || !regexp.MustCompile(`^(?:`+others+`)$`).MatchString(got) {
			m.t.Fatalf("the server said %q, want %s", got, want)
		}
	}
}

// A process is a server that runs.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	log *edgetest.Log
}

// run starts "edgechat serve" with these settings in the environment, and sockets from
// descriptor 3 on. LISTEN_PID is known only in the process itself, hence the shell.
func runServe(t *testing.T, sockets []*os.File, env ...string) *process {
	t.Helper()
	p := &process{t: t, log: new(edgetest.Log)}
	script := "exec edgechat serve"
	if sockets != nil {
		script = fmt.Sprintf("LISTEN_FDS=%d LISTEN_PID=$$ %s", len(sockets), script)
	}
	p.cmd = exec.Command("sh", "-c", script)
	p.cmd.Stderr = p.log
	p.cmd.ExtraFiles = sockets
	p.cmd.Env = append(append(os.Environ(), "GORACE=atexit_sleep_ms=0"), env...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	return p
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// end waits for an end with exit code 0.
func (p *process) end() {
	p.t.Helper()
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("%v\n%s", err, p.log)
	}
}

// await waits until the log matches, and returns the first group.
func (p *process) await(expression string) string {
	p.t.Helper()
	re := regexp.MustCompile(expression)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if m := re.FindStringSubmatch(p.log.String()); m != nil {
			return m[len(m)-1]
		}
		if time.Now().After(end) {
			p.t.Fatalf("the log does not match %s:\n%s", expression, p.log)
		}
	}
}

// The life of a service, as its manager hears it.
func TestNotify(t *testing.T) {
	m := newManager(t)
	tokens := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(tokens, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := runServe(t, nil, "NOTIFY_SOCKET="+m.path, "WATCHDOG_USEC=2000000",
		"EDGECHAT_LISTEN=127.0.0.1:0", "EDGECHAT_DATA="+t.TempDir(), "EDGECHAT_PING_INTERVAL=1s", "EDGECHAT_TOKENS="+tokens, "EDGECHAT_ANONYMOUS=write")
	ready := m.await(`READY=1\nSTATUS=listening on 127\.0\.0\.1:\d+, 0 connections in 0 rooms`, "")
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
	m.await("STOPPING=1", "(?s)READY=1.*|WATCHDOG=1")
	for range 3 { // each 0.3 s, while the request holds the stop for 2 s
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

// Sockets of a parent: it holds them while the server is restarted twenty times, and
// whoever connects meanwhile is served, by the next process if need be.
func TestRestartUnderClients(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	const restarts = 20
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "chat.sock")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var sockets []*os.File
	for _, l := range []interface{ File() (*os.File, error) }{tcp.(*net.TCPListener), unix.(*net.UnixListener)} {
		f, err := l.File()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		sockets = append(sockets, f)
	}
	// The parent holds files, and accepts nothing itself.
	unix.(*net.UnixListener).SetUnlinkOnClose(false)
	tcp.Close()
	unix.Close()
	data := t.TempDir()

	var plain, upgraded, put503, waited atomic.Int64
	stop := make(chan struct{})
	var clients sync.WaitGroup
	client := func(addr net.Addr, request, url string, ok func(*http.Response) bool) {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				began := time.Now()
				resp, err := once(addr, request)
				if err != nil || !ok(resp) {
					t.Errorf("%s at %v: %v, %v", url, addr, resp, err)
					return
				}
				if time.Since(began) > 20*time.Millisecond {
					waited.Add(1)
				}
				time.Sleep(time.Millisecond)
			}
		})
	}
	for _, addr := range []net.Addr{tcp.Addr(), unix.Addr()} {
		client(addr, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "/healthz", func(r *http.Response) bool {
			plain.Add(1)
			return r.StatusCode == 200
		})
		u, err := url.Parse("http://x/chat/room/den")
		if err != nil {
			t.Fatal(err)
		}
		client(addr, edgetest.Handshake(u), "a WebSocket", func(r *http.Response) bool {
			// Who was accepted in the very moment of the stop is told to come back.
			if r.StatusCode == 503 && r.Header.Get("Retry-After") != "" {
				put503.Add(1)
				return true
			}
			upgraded.Add(1)
			return r.StatusCode == 101
		})
	}
	for range restarts {
		p := runServe(t, sockets, "EDGECHAT_DATA="+data, "EDGECHAT_LISTEN=127.0.0.1:1")
		p.await("msg=listening addr=" + path)
		time.Sleep(50 * time.Millisecond)
		p.signal(syscall.SIGTERM)
		p.end()
		for _, want := range []string{
			`level=INFO msg="socket handed over" addr=` + tcp.Addr().String(),
			`level=WARN msg="not listened on, since sockets were handed over" listen=127.0.0.1:1 from="environment EDGECHAT_LISTEN"`,
		} {
			if !p.log.Has(want) {
				t.Errorf("%s is missing:\n%s", want, p.log)
			}
		}
		if p.log.Has("were cut") {
			t.Errorf("log:\n%s", p.log)
		}
		time.Sleep(20 * time.Millisecond) // nobody is there
	}
	p := runServe(t, sockets, "EDGECHAT_DATA="+data) // for those that still wait
	p.await("msg=listening addr=" + path)
	if p.log.Has("not listened on") {
		t.Errorf("--listen was not given:\n%s", p.log)
	}
	close(stop)
	clients.Wait()
	p.signal(syscall.SIGTERM)
	p.end()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the file of the unix socket is not ours to remove: %v", err)
	}
	if plain.Load() < 2*restarts || upgraded.Load() < 2*restarts || waited.Load() < restarts {
		t.Errorf("%d requests, %d WebSockets, %d that waited: nothing was tested", plain.Load(), upgraded.Load(), waited.Load())
	}
	t.Logf("%d restarts: %d requests and %d WebSockets served, %d told to come back, none refused; %d waited for a process",
		restarts, plain.Load(), upgraded.Load(), put503.Load(), waited.Load())
}

// once sends a request on a connection of its own and returns the head of the answer.
func once(addr net.Addr, request string) (*http.Response, error) {
	c, err := net.Dial(addr.Network(), addr.String())
	if err != nil {
		return nil, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, request); err != nil {
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return nil, err
	}
	_ = resp.Body.Close()
	return resp, nil
}

func TestHandedOverWrong(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	p := runServe(t, []*os.File{r}, "EDGECHAT_DATA="+t.TempDir())
	_ = p.cmd.Wait()
	if p.cmd.ProcessState.ExitCode() != 1 || !p.log.Has(`error: systemd: descriptor 3 ("") cannot be listened on: it is no socket`) || !p.log.Has("hint: ") {
		t.Errorf("exit code %d:\n%s", p.cmd.ProcessState.ExitCode(), p.log)
	}
}

// While nothing is said nothing is written: no line of the log, no byte of any file.
// A minute of it: go test ./cmd/edgechat -run TestSilence -silence 1m
func TestSilence(t *testing.T) {
	data := t.TempDir()
	p := runServe(t, nil, "EDGECHAT_LISTEN=127.0.0.1:0", "EDGECHAT_DATA="+data)
	addr := p.await(`addr=(127\.0\.0\.1:\d+)`)
	c := edgetest.Dial(t, "http://"+addr+"/chat/room/den", "Sec-WebSocket-Protocol: edgechat.v1.json")
	c.JSONOf("subscribed")
	c.Text(`{"type":"message","content":"x","idempotency_key":"k"}`)
	c.JSONOf("ack")
	time.Sleep(500 * time.Millisecond)
	state := func() (s string) {
		files, err := os.ReadDir(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			st, err := f.Info()
			if err != nil {
				t.Fatal(err)
			}
			s += fmt.Sprintf("%s: %d bytes, %v\n", f.Name(), st.Size(), st.ModTime())
		}
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", p.cmd.Process.Pid)) // proc_pid_io(5)
		if err != nil {
			t.Skip(err)
		}
		return s + regexp.MustCompile(`\bwrite_bytes: \d+`).FindString(string(raw)) + "\n" + p.log.String()
	}
	before := state()
	if !strings.Contains(before, "edgechat.db: ") || !strings.Contains(before, "write_bytes: ") {
		t.Fatalf("nothing is tested:\n%s", before)
	}
	time.Sleep(*silence)
	if after := state(); after != before {
		t.Errorf("in %v of silence this became of it:\n%s\nbefore:\n%s", *silence, after, before)
	}
	p.signal(syscall.SIGTERM)
	p.end()
}
