package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

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
