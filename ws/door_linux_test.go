package ws

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
)

const exampleHead = "GET /react HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// TestDoorPieces: however a handshake and the frames behind it are cut into
// segments, nothing of them is lost.
func TestDoorPieces(t *testing.T) {
	base, _, _ := echo(t, Config{}, 0)
	all := exampleHead + masked(0x81, "first") + masked(0x81, "second")
	for cut := 1; cut <= len(all); cut += 7 {
		c := rawClient(t, base)
		c.Raw([]byte(all[:cut]))
		time.Sleep(2 * time.Millisecond) // a segment of its own
		c.Raw([]byte(all[cut:]))
		c.ReadResponse()
		if c.Response.StatusCode != 101 {
			t.Fatalf("cut at %d: %s", cut, c.Response.Status)
		}
		c.ExpectText("first")
		c.ExpectText("second")
		_ = c.Conn.Close()
	}
}

// TestDoorPlain: HTTP goes on as ever, kept alive, beside a handshake that is
// refused and one to a route that has a goroutine.
func TestDoorPlain(t *testing.T) {
	rt := newRouter(t, Config{})
	rt.HTTP("GET", "/plain", func(w http.ResponseWriter, r *Request) error {
		_, err := fmt.Fprintf(w, "%s %v", r.Query().Get("n"), r.RemoteAddr != "")
		return err
	})
	React(rt, Route[string]{Path: "/no", Decode: decodeText, Guards: []Guard{func(*Request) error {
		return refusal.New(refusal.Unauthorized, "a token is needed").With("WWW-Authenticate", "Bearer")
	}}, Open: func(*Conn[string]) (Session[string], error) { panic("opened") }})
	base := serve(t, rt)

	c := rawClient(t, base)
	br := bufio.NewReader(c.Conn)
	for n := range 3 {
		c.Raw(fmt.Appendf(nil, "GET /plain?n=%d HTTP/1.1\r\nHost: x\r\n\r\n", n))
		if got, want := readBody(t, br), fmt.Sprintf("200 OK %d true", n); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	_ = c.Conn.Close()

	// A plain route that somebody asks for with the head of a handshake.
	c = rawClient(t, base)
	c.Raw([]byte(strings.Replace(exampleHead, "/react", "/plain?n=7", 1)))
	if got := readBody(t, bufio.NewReader(c.Conn)); got != "200 OK 7 true" {
		t.Errorf("%q", got)
	}

	c = rawClient(t, base)
	c.Raw([]byte(strings.Replace(exampleHead, "/react", "/no", 1)))
	c.ReadResponse()
	res := c.Response
	if res.StatusCode != 401 || res.Header.Get("WWW-Authenticate") != "Bearer" || res.Header.Get("Content-Type") != "application/json; charset=utf-8" ||
		res.Header.Get("Date") == "" || !res.Close || res.ContentLength <= 0 {
		t.Errorf("refused with %+v", res)
	}
	if s := rt.Stats(); s.Refused != 1 {
		t.Errorf("stats %+v", s)
	}
}

func readBody(t *testing.T, br *bufio.Reader) string {
	t.Helper()
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.Status + " " + string(body)
}

// TestDoorPanics: a guard or an Open that panics ends its connection, and leaves the
// loop and those on it alone.
func TestDoorPanics(t *testing.T) {
	rt := newRouter(t, Config{loops: 1})
	React(rt, Route[string]{
		Path: "/:how", Decode: decodeText,
		Guards: []Guard{func(r *Request) error { return panics(r.Param("how") == "guard") }},
		Open: func(c *Conn[string]) (Session[string], error) {
			return moody{c}, panics(c.Request().Param("how") == "open")
		},
	})
	base := serve(t, rt)
	well := edgetest.Dial(t, base+"/well")
	bad := rawClient(t, base)
	bad.Raw([]byte(strings.Replace(exampleHead, "/react", "/guard", 1)))
	if bad.ReadResponse(); bad.Response.StatusCode != 500 {
		t.Errorf("a guard that panics: %s", bad.Response.Status)
	}
	bad = edgetest.Dial(t, base+"/open")
	if code, reason := bad.ExpectClose(); code != refusal.CloseInternalError || reason != failedReason {
		t.Errorf("an Open that panics: closed with %d %q", code, reason)
	}
	well.Text("still here")
	well.ExpectText("still here")
	if n := rt.Stats().Panics; n != 2 {
		t.Errorf("%d panics counted", n)
	}
}

func panics(told bool) error {
	if told {
		panic("told to")
	}
	return nil
}

// TestDoorSilence: somebody who says nothing becomes net/http's, which has a
// deadline, and can still come in before that.
func TestDoorSilence(t *testing.T) {
	late := silentFor(t, time.Hour)
	late.Raw([]byte(exampleHead + masked(0x81, "late")))
	late.ReadResponse()
	late.ExpectText("late")
	never := silentFor(t, 100*time.Millisecond)
	if _, err := io.ReadAll(never.Conn); err != nil {
		t.Error(err)
	}
}

// silentFor returns a client that is net/http's, which has this deadline for its head.
func silentFor(t *testing.T, deadline time.Duration) *edgetest.Client {
	t.Helper()
	rt := newRouter(t, quickTicks)
	React(rt, Route[string]{Path: "/react", Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) { return moody{c}, nil }})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveHTTP(t, rt, l, &http.Server{Handler: rt, ReadHeaderTimeout: deadline})
	c := rawClient(t, "ws://"+l.Addr().String())
	awaitThat(t, "it waits no more", func() bool { return rt.Stats().Plain == 1 && rt.lobby.len() == 0 })
	return c
}

// TestDoorCloses: connections that have said nothing, or not enough, still come
// out of a listener that is closed, whose port is free at once.
func TestDoorCloses(t *testing.T) {
	rt := newRouter(t, Config{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := rt.Listen(l).(*door)
	t.Cleanup(func() { _ = rt.Shutdown(t.Context(), refusal.CloseServiceRestart, "") })
	silent := rawClient(t, "ws://"+l.Addr().String())
	plain := rawClient(t, "ws://"+l.Addr().String())
	plain.Raw([]byte("GET / HTTP/1.1\r\n"))
	awaitThat(t, "both have come in, and one of them has said something", func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return rt.lobby.len() == 1 && len(d.handed) == 1
	})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	said := map[string]bool{}
	_ = silent.Conn.Close()
	_ = plain.Conn.Close()
	for range 2 {
		nc, err := d.Accept()
		if err != nil {
			t.Fatal(err)
		}
		p, err := io.ReadAll(nc)
		if err != nil {
			t.Error(err)
		}
		said[string(p)] = true
		_ = nc.Close()
	}
	if !said[""] || !said["GET / HTTP/1.1\r\n"] {
		t.Errorf("came out: %v", said)
	}
	if _, err := d.Accept(); err != net.ErrClosed {
		t.Errorf("Accept: %v", err)
	}
	again, err := net.Listen("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Close()
}

// TestDoorExhausted: without descriptors nobody comes in, nothing spins, and
// once there are some again those who wait are served.
func TestDoorExhausted(t *testing.T) {
	base, rt, _ := echo(t, Config{WriteTimeout: 800 * time.Millisecond, PingInterval: time.Hour}, 0) // a tick is 100 ms
	first := edgetest.Dial(t, base+"/react")
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 3, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	restored := false
	restore := func() {
		if !restored {
			restored = true
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
				t.Fatal(err)
			}
		}
	}
	defer restore()
	addr := syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if _, err := fmt.Sscanf(base[strings.LastIndex(base, ":"):], ":%d", &addr.Port); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Connect(fd, &addr); err != nil {
		t.Fatal(err)
	}
	awaitThat(t, "the lack of descriptors is counted", func() bool { return rt.Stats().AcceptErrors > 0 })
	first.Text("still here")
	first.ExpectText("still here")
	restore()
	if n := rt.Stats().AcceptErrors; n > 300 {
		t.Errorf("it was tried %d times", n)
	}
	if _, err := syscall.Write(fd, []byte(exampleHead)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 100)
	if n, err := syscall.Read(fd, answer); err != nil || !bytes.HasPrefix(answer[:max(n, 0)], []byte("HTTP/1.1 101")) {
		t.Errorf("answered with %q, %v", answer[:max(n, 0)], err)
	}
}
