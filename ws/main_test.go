package ws

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
	"edgechat/ws/internal/frame"
)

func TestMain(m *testing.M) { edgetest.Main(m) }

// serve serves rt on a free port until the test ends, and returns its URL.
func serve(t testing.TB, rt *Router) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, rt, l)
	return "ws://" + l.Addr().String()
}

func serveOn(t testing.TB, rt *Router, l net.Listener) {
	serveHTTP(t, rt, l, &http.Server{Handler: rt})
}

func serveHTTP(t testing.TB, rt *Router, l net.Listener, srv *http.Server) {
	l = rt.Listen(l)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		<-served
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := rt.Shutdown(ctx, refusal.CloseServiceRestart, "test ends"); err != nil {
			t.Error(err)
		}
	})
}

func newRouter(t testing.TB, cfg Config) *Router {
	t.Helper()
	rt, err := NewRouter(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

// decodeText takes any text that does not begin with "bad".
func decodeText(binary bool, data []byte) (string, error) {
	if s := string(data); !strings.HasPrefix(s, "bad") {
		return s, nil
	}
	return "", errors.New("text begins with bad")
}

// echoSession answers every message with itself.
type echoSession struct {
	c      *Conn[string]
	closed chan error
}

func (s *echoSession) Receive(msg string) { _ = s.c.SendPayload(false, []byte(msg)) }
func (s *echoSession) Closed(err error)   { s.closed <- err }

// echo has /handle and /react, which echo alike. The channel gets what Closed,
// or the loop over Messages, ended with.
func echo(t testing.TB, cfg Config, maxMessage int) (url string, rt *Router, ends chan error) {
	t.Helper()
	rt = newRouter(t, cfg)
	ends = make(chan error, 1000)
	Handle(rt, Route[string]{Path: "/handle", Decode: decodeText, MaxMessage: maxMessage, Handle: func(c *Conn[string]) error {
		var end error
		for msg, err := range c.Messages() {
			if err != nil {
				end = err
				break
			}
			if err := c.SendPayload(false, []byte(msg)); err != nil {
				end = err
				break
			}
		}
		ends <- end
		return nil
	}})
	React(rt, Route[string]{Path: "/react", Decode: decodeText, MaxMessage: maxMessage, Open: func(c *Conn[string]) (Session[string], error) {
		return &echoSession{c, ends}, nil
	}})
	return serve(t, rt), rt, ends
}

// A variant is a kind of route on a driver.
type variant struct {
	path   string
	driver driving
}

func (v variant) with(cfg Config) Config {
	cfg.driver = v.driver
	return cfg
}

// each runs f on every variant.
func each(t *testing.T, f func(t *testing.T, v variant)) {
	for name, v := range map[string]variant{
		"handle":          {"/handle", autoDriver},
		"react/goroutine": {"/react", goroutineDriver},
		"react/loop":      {"/react", autoDriver},
		"react/hijack":    {"/react", hijackLoop},
	} {
		t.Run(name, func(t *testing.T) { f(t, v) })
	}
}

// eachReact runs f on every driver of a React route.
func eachReact(t *testing.T, f func(t *testing.T, v variant)) {
	each(t, func(t *testing.T, v variant) {
		if v.path == "/react" {
			f(t, v)
		}
	})
}

// awaitThat waits until met, for half a minute at most.
func awaitThat(t *testing.T, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !met(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited for half a minute: " + what)
		}
	}
}

// rawClient is connected to a URL's host and has sent nothing.
func rawClient(t testing.TB, rawURL string) *edgetest.Client {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(rawURL, "ws://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return edgetest.NewClient(t, conn)
}

// appendFrame appends one whole frame.
func appendFrame(dst []byte, binary bool, payload []byte) []byte {
	return frame.Append(dst, frame.DataOpcode(binary), payload)
}
