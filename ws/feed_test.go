package ws

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"edgechat/refusal"
)

// lines is a form of feeds.
func lines(rt *Router) *FeedForm {
	return rt.Form(&FeedForm{ContentType: "text/x-lines", End: "\n", Ping: "ping\n", Close: func(code uint16, reason string) []byte {
		return fmt.Appendf(nil, "close %d %s\n", code, reason)
	}})
}

// A lineStream is a Stream of numbered lines.
type lineStream struct {
	feed
}

func (l *lineStream) say(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log = fmt.Appendf(l.log, "%d %s\n", n, strings.Repeat("x", n%3000))
}

// feeds serves a route with feeds on v's driver, over TLS if that is set. What is opened comes out of the channel.
func feeds(t *testing.T, v variant, cfg Config, secure bool, open func(*Feed) error) (rt *Router, addr string, opened chan *Feed, over chan bool) {
	t.Helper()
	rt = newRouter(t, v.with(cfg))
	form := lines(rt)
	opened, over = make(chan *Feed, 10), make(chan bool, 10)
	rt.HTTP("GET", "/feed", func(w http.ResponseWriter, r *Request) error {
		w.Header().Set("X-Of-The-Gate", "yes")
		return rt.Feed(w, r, form, func(f *Feed) error {
			if f.Request().Param("none") != "" {
				t.Error("a parameter")
			}
			if open != nil {
				return open(f)
			}
			opened <- f
			return f.Send([]byte("hello\n"))
		}, func() { over <- true })
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: rt}
	if !secure {
		serveHTTP(t, rt, l, srv)
		return rt, l.Addr().String(), opened, over
	}
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS()
	certificates := cert.TLS.Certificates
	cert.Close()
	inner := rt.ListenTLS(l, &tls.Config{Certificates: certificates})
	served := make(chan error, 1)
	go func() { served <- srv.Serve(inner) }()
	t.Cleanup(func() {
		_ = srv.Close()
		<-served
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := rt.Shutdown(ctx, refusal.CloseServiceRestart, "test ends"); err != nil {
			t.Error(err)
		}
	})
	return rt, l.Addr().String(), opened, over
}

// ask sends a request for a feed.
func ask(t *testing.T, addr string, secure bool, proto string) (net.Conn, *http.Response, *bufio.Reader) {
	t.Helper()
	var c net.Conn
	var err error
	if secure {
		c, err = tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	} else {
		c, err = net.Dial("tcp", addr)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(c, "GET /feed HTTP/%s\r\nHost: x\r\n\r\n", proto)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, resp, bufio.NewReader(resp.Body)
}

// eachFeed runs f on every driver, and over TLS.
func eachFeed(t *testing.T, f func(t *testing.T, v variant, secure bool)) {
	eachReact(t, func(t *testing.T, v variant) { f(t, v, false) })
	t.Run("tls", func(t *testing.T) { f(t, variant{driver: autoDriver}, true) })
}

func readLine(t *testing.T, br *bufio.Reader) string {
	t.Helper()
	s, err := br.ReadString('\n')
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return strings.TrimSuffix(s, "\n")
}

// TestFeed: what is attached comes whole and in order, behind what was sent before, pings between it, and why it ends at the end.
func TestFeed(t *testing.T) {
	eachFeed(t, func(t *testing.T, v variant, secure bool) {
		for _, proto := range []string{"1.1", "1.0"} {
			// Who takes nothing for two of them is cut, as a slow reader on a slow processor does for a moment.
			rt, addr, opened, over := feeds(t, v, Config{PingInterval: 300 * time.Millisecond}, secure, nil)
			_, resp, br := ask(t, addr, secure, proto)
			if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/x-lines" || resp.Header.Get("X-Of-The-Gate") != "yes" || !resp.Close || resp.ContentLength >= 0 {
				t.Errorf("%v", resp)
			}
			if s := readLine(t, br); s != "hello" {
				t.Errorf("first %q", s)
			}
			f, s := <-opened, new(lineStream)
			f.Attach(s)
			const total = 2000
			go func() {
				for n := range total {
					s.say(n)
					f.Flush()
				}
			}()
			pings := 0
			for next := 0; next < total || pings < 2; {
				line := readLine(t, br)
				if line == "ping" {
					pings++
					continue
				}
				if want := fmt.Sprint(next, " ", strings.Repeat("x", next%3000)); line != want {
					t.Fatalf("%.50q in place of %.50q", line, want)
				}
				next++
			}
			if s := rt.Stats(); s.Feeds != 1 || s.Open != 0 || s.Plain != 0 || s.Accepted != 0 || s.FeedsOpened != 1 {
				t.Errorf("%+v", s)
			}
			f.Close(1008, "enough")
			f.Close(1011, "once more")
			last := "ping"
			for last == "ping" {
				last = readLine(t, br)
			}
			if last != "close 1008 enough" {
				t.Errorf("last %q", last)
			}
			if rest, err := io.ReadAll(br); err != nil || len(rest) > 0 {
				t.Errorf("behind it %q, %v", rest, err)
			}
			<-over
			awaitThat(t, "for its end", func() bool { return rt.Stats().Feeds == 0 })
			if n := rt.Stats().FeedsClosedBy[1008]; n != 1 || f.Send([]byte("x\n")) == nil {
				t.Errorf("%d closed", n)
			}
		}
	})
}

// TestFeedStops: a shutdown ends feeds behind all that was written.
func TestFeedStops(t *testing.T) {
	eachFeed(t, func(t *testing.T, v variant, secure bool) {
		rt, addr, opened, over := feeds(t, v, Config{}, secure, nil)
		_, _, br := ask(t, addr, secure, "1.1")
		f, s := <-opened, new(lineStream)
		f.Attach(s)
		for n := range 100 {
			s.say(n)
		}
		ended := make(chan error, 1)
		go func() { ended <- rt.Shutdown(t.Context(), 1012, "back soon") }()
		if s := readLine(t, br); s != "hello" {
			t.Errorf("first %q", s)
		}
		for n := range 100 {
			if line := readLine(t, br); !strings.HasPrefix(line, fmt.Sprint(n, " ")) {
				t.Fatalf("%.50q in place of %d", line, n)
			}
		}
		if line := readLine(t, br); line != "close 1012 back soon" {
			t.Errorf("last %q", line)
		}
		_, _ = io.ReadAll(br)
		<-over
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if rt.Wait(); rt.conns.waits != 0 {
			t.Error("a request waits for what is shut down")
		}
		stopped := make(chan bool)
		rt.OnStop(func() { close(stopped) })
		<-stopped
	})
}

// TestFeedGone: who hangs up, or was switched off, is heard of no more.
func TestFeedGone(t *testing.T) {
	eachFeed(t, func(t *testing.T, v variant, secure bool) {
		rt, addr, opened, over := feeds(t, v, Config{}, secure, nil)
		c, _, br := ask(t, addr, secure, "1.1")
		readLine(t, br)
		(<-opened).Attach(new(lineStream))
		_ = c.Close()
		<-over
		awaitThat(t, "for its end", func() bool { s := rt.Stats(); return s.Feeds == 0 && s.FeedsClosedBy[1006] == 1 })
	})
}

// TestFeedFails: an error of open, and a panic, close with 1011 as those of a route do.
func TestFeedFails(t *testing.T) {
	eachFeed(t, func(t *testing.T, v variant, secure bool) {
		for _, open := range []func(*Feed) error{
			func(*Feed) error { return errors.New("no") },
			func(*Feed) error { panic("no") },
			func(*Feed) error { return &CloseError{1011, failedReason} },
		} {
			rt, addr, _, over := feeds(t, v, Config{}, secure, open)
			_, _, br := ask(t, addr, secure, "1.1")
			if line := readLine(t, br); line != "close 1011 "+failedReason {
				t.Errorf("%q", line)
			}
			<-over
			awaitThat(t, "for its end", func() bool { return rt.Stats().Feeds == 0 })
		}
	})
}

// TestWaits: requests that wait have their share of the connections of plain HTTP, and are streams as to their number.
func TestWaits(t *testing.T) {
	for _, test := range []struct {
		limits Limits
		most   int
	}{{Limits{Plain: 5}, 3}, {Limits{Plain: 20, Streams: 2}, 2}, {Limits{}, 100}} {
		rt := newRouter(t, Config{Limits: test.limits})
		var last func()
		for i := range 100 {
			done, err := rt.Wait()
			if (err != nil) != (i >= test.most) {
				t.Errorf("%+v: %d: %v", test.limits, i, err)
			}
			if err == nil {
				last = done
			}
		}
		if s := rt.Stats(); s.Waits != test.most || s.Limits.Streams != uint64(100-test.most) {
			t.Errorf("%+v: %+v", test.limits, s)
		}
		last()
		if _, err := rt.Wait(); err != nil {
			t.Errorf("%+v: a place that was given back: %v", test.limits, err)
		}
		if err := rt.Shutdown(t.Context(), 1012, ""); err != nil {
			t.Error(err)
		}
	}
}
