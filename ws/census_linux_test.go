package ws

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// A town is a router that is reached from many addresses.
type town struct {
	t  *testing.T
	n  *edgetest.Net
	l  net.Listener
	rt *Router
}

// settle runs f with each way in which connections are accepted.
func settle(t *testing.T, cfg Config, f func(t *testing.T, v variant, a *town)) {
	for name, v := range map[string]variant{"loop": {"/react", autoDriver}, "goroutine": {"/react", goroutineDriver}, "handle": {"/handle", autoDriver}} {
		t.Run(name, func(t *testing.T) {
			a := &town{t: t, n: edgetest.NewNet(t)}
			_, a.rt, _ = echo(t, v.with(cfg), 0)
			a.l = a.n.Listen()
			serveOn(t, a.rt, a.l)
			f(t, v, a)
			a.await("all are gone", func(s Stats) bool { return s.Plain == 0 && s.Open == 0 })
			awaitThat(t, "nobody is left in the counts, and none of those that were turned away", func() bool {
				return a.rt.census.by.Len()+a.rt.conns.by.Len()+int(a.rt.census.farewells.Load()) == 0
			})
		})
	}
}

func (a *town) await(what string, met func(Stats) bool) {
	a.t.Helper()
	awaitThat(a.t, what, func() bool { return met(a.rt.Stats()) })
}

func (a *town) dial(from string) net.Conn {
	a.t.Helper()
	c, err := a.n.Dial(from, a.l)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	return c
}

// ask sends a request on a connection of its own and returns the answer, which says when to come back if it is a
// refusal.
func (a *town) ask(from, path string) (status int, code string) {
	a.t.Helper()
	c := a.dial(from)
	defer c.Close()
	fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path)
	return a.answer(c)
}

func (a *town) answer(c net.Conn) (status int, code string) {
	a.t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		a.t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	if _, err := strconv.Atoi(resp.Header.Get("Retry-After")); err != nil && (resp.StatusCode == 429 || resp.StatusCode == 503) {
		a.t.Errorf("%s without Retry-After", resp.Status)
	}
	_, code, _ = strings.Cut(string(body), `"code":"`)
	code, _, _ = strings.Cut(code, `"`)
	return resp.StatusCode, code
}

// connect upgrades a connection, or returns how it was refused.
func (a *town) connect(from, path string, headers ...string) (c *edgetest.Client, status int) {
	a.t.Helper()
	nc := a.dial(from)
	c = edgetest.NewClient(a.t, nc)
	c.Timeout = 30 * time.Second
	u, _ := url.Parse("ws://x" + path)
	c.Raw([]byte(edgetest.Handshake(u, headers...)))
	if c.ReadResponse(); c.Response.StatusCode == 101 {
		c.Text("hi")
		c.ExpectText("hi")
	}
	return c, c.Response.StatusCode
}

func TestPlainPerAddress(t *testing.T) {
	settle(t, Config{Limits: Limits{PlainPerAddress: 3}}, func(t *testing.T, v variant, a *town) {
		var idle []net.Conn
		for range 3 {
			idle = append(idle, a.dial("192.0.2.7"))
		}
		a.await("they are there", func(s Stats) bool { return s.Plain == 3 })
		for range 3 { // they take no place
			if status, code := a.ask("192.0.2.7", "/"); status != 429 || code != "too_many_connections" {
				t.Errorf("%d %s", status, code)
			}
		}
		if status, _ := a.ask("192.0.2.8", "/"); status != 404 {
			t.Errorf("another address: %d", status)
		}
		_ = idle[0].Close()
		a.await("one has left", func(s Stats) bool { return s.Plain == 2 })
		for range 20 { // one after the other
			if status, _ := a.ask("192.0.2.7", "/"); status != 404 {
				t.Errorf("after one has left: %d", status)
			}
			a.await("it has ended", func(s Stats) bool { return s.Plain == 2 })
		}
		var in []*edgetest.Client
		for range 10 { // a WebSocket is none of them
			c, status := a.connect("192.0.2.7", v.path)
			if status != 101 {
				t.Fatalf("a WebSocket: %d", status)
			}
			in = append(in, c)
			a.await("it is one", func(s Stats) bool { return s.Plain == 2 })
		}
		if n := a.rt.Stats().Limits.PlainPerAddress; n != 3 {
			t.Errorf("%d counted", n)
		}
		for _, c := range in {
			_ = c.Conn.Close()
		}
		for _, c := range idle {
			_ = c.Close()
		}
	})
}

// TestPlainShares: twenty addresses take all that they can, with connections that ask for nothing, and somebody new is
// answered, and joins.
func TestPlainShares(t *testing.T) {
	const addresses, each, all = 20, 4, 64
	settle(t, Config{Limits: Limits{Plain: all, PlainPerAddress: each}}, func(t *testing.T, v variant, a *town) {
		var idle []net.Conn
		for i := range addresses * each {
			c := a.dial("192.0.2." + strconv.Itoa(10+i/each))
			fmt.Fprint(c, "GET / HT")
			idle = append(idle, c)
			a.await("it is in, or turned away", func(s Stats) bool {
				return s.Plain+int(s.Limits.PlainPerAddress+s.Limits.Plain) == len(idle)
			})
		}
		if status, code := a.ask("192.0.2.99", "/"); status != 404 {
			t.Errorf("somebody new is told %d %s", status, code)
		}
		in, status := a.connect("192.0.2.98", v.path)
		if status != 101 {
			t.Errorf("somebody new joins: %d", status)
		}
		for _, c := range append(idle, in.Conn) {
			_ = c.Close()
		}
	})
}

func TestPlainInAll(t *testing.T) {
	settle(t, Config{Limits: Limits{Plain: 5}}, func(t *testing.T, v variant, a *town) {
		in, status := a.connect("192.0.2.3", v.path)
		if status != 101 {
			t.Fatal(status)
		}
		a.await("it is a WebSocket", func(s Stats) bool { return s.Plain == 0 })
		var idle []net.Conn
		for i := range 5 {
			c := a.dial("192.0.2." + strconv.Itoa(10+i))
			fmt.Fprint(c, "GET / HT") // half of a head is no more than nothing
			idle = append(idle, c)
		}
		a.await("they are there", func(s Stats) bool { return s.Plain == 5 })
		if status, code := a.ask("192.0.2.99", "/"); status != 503 || code != "too_many_connections" {
			t.Errorf("%d %s", status, code)
		}
		in.Text("still here")
		in.ExpectText("still here")
		if n := a.rt.Stats().Limits.Plain; n != 1 {
			t.Errorf("%d counted", n)
		}
		_ = idle[0].Close()
		a.await("one has left", func(s Stats) bool { return s.Plain == 4 })
		if status, _ := a.ask("192.0.2.99", "/"); status != 404 {
			t.Errorf("after one has left: %d", status)
		}
		for _, c := range append(idle, in.Conn) {
			_ = c.Close()
		}
	})
}

func TestConnectionsInAll(t *testing.T) {
	settle(t, Config{Limits: Limits{Connections: 16}}, func(t *testing.T, v variant, a *town) {
		var all []net.Conn
		for i := range 12 {
			c, status := a.connect("192.0.2."+strconv.Itoa(10+i), v.path)
			if status != 101 {
				t.Fatalf("%d: %d", i, status)
			}
			all = append(all, c.Conn)
		}
		a.await("they are WebSockets", func(s Stats) bool { return s.Plain == 0 && s.Open == 12 })
		refused, status := a.connect("192.0.2.3", v.path)
		if status != 503 || refused.Response.Header.Get("Retry-After") == "" {
			t.Errorf("one more WebSocket: %d", status)
		}
		_ = refused.Conn.Close()
		a.await("that one is gone", func(s Stats) bool { return s.Plain == 0 })
		if status, _ := a.ask("192.0.2.3", "/"); status != 404 {
			t.Errorf("plain HTTP: %d", status)
		}
		a.await("that one is gone", func(s Stats) bool { return s.Plain == 0 })
		for range 4 {
			all = append(all, a.dial("192.0.2.5"))
		}
		a.await("they are there", func(s Stats) bool { return s.Plain == 4 })
		if status, code := a.ask("192.0.2.3", "/"); status != 503 || code != "too_many_connections" {
			t.Errorf("one more in all: %d %s", status, code)
		}
		if n := a.rt.Stats().Limits.Connections; n != 2 {
			t.Errorf("%d counted", n)
		}
		_ = all[0].Close()
		_ = all[15].Close()
		a.await("two have left", func(s Stats) bool { return s.Plain == 3 && s.Open == 11 })
		c, status := a.connect("192.0.2.3", v.path)
		if status != 101 {
			t.Errorf("after one has left: %d", status)
		}
		for _, nc := range append(all, c.Conn) {
			_ = nc.Close()
		}
	})
}

func TestWebSocketsPerAddress(t *testing.T) {
	settle(t, Config{Limits: Limits{PerAddress: 3}}, func(t *testing.T, v variant, a *town) {
		const proxied = "X-Forwarded-For: 192.0.2.7"
		var in []*edgetest.Client
		enter := func(want int, from string, headers ...string) {
			t.Helper()
			c, status := a.connect(from, v.path, headers...)
			if status != want {
				t.Errorf("%s %v: %d, want %d", from, headers, status, want)
			}
			if status == 101 {
				in = append(in, c)
				return
			}
			if c.Response.Header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			_ = c.Conn.Close()
		}
		enter(101, "192.0.2.7")
		enter(101, "192.0.2.7", "X-Forwarded-For: 192.0.2.8") // not believed
		enter(101, "127.0.0.1", proxied)
		enter(429, "192.0.2.7")
		enter(429, "127.0.0.1", proxied)
		enter(101, "192.0.2.8")
		for range 10 {
			enter(101, "127.0.0.1")
		}
		if n := a.rt.Stats().Limits.PerAddress; n != 2 {
			t.Errorf("%d counted", n)
		}
		_ = in[0].Conn.Close()
		open := len(in) - 1
		a.await("one has left", func(s Stats) bool { return s.Open == open })
		enter(101, "127.0.0.1", proxied)
		enter(429, "192.0.2.7")
		for _, c := range in {
			_ = c.Conn.Close()
		}
	})
}
