package admin

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxConns is how many may be connected to the socket at once; others wait. It bounds what they take of the
// descriptors that are kept for them.
const maxConns = 8

// A Server serves an admin socket.
type Server struct {
	h    *handler
	http *http.Server
}

// NewServer returns a Server; Serve serves it.
func NewServer(cfg Config) *Server {
	h := newHandler(cfg)
	return &Server{h: h, http: &http.Server{
		Handler: h.mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 10 * time.Second,
		ConnContext: withCredentials,
		ErrorLog:    slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}}
}

// Serve serves l until Close, and closes it.
func (s *Server) Serve(l net.Listener) error {
	return s.http.Serve(&fewListener{Listener: l, places: make(chan struct{}, maxConns)})
}

// Close lets requests under way end until ctx does, and cuts what is left.
func (s *Server) Close(ctx context.Context) {
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // its errors are those of sockets that are gone
	}
	s.h.recorder.stop()
}

// A fewListener accepts from so many at once.
type fewListener struct {
	net.Listener
	places chan struct{}
}

func (l *fewListener) Accept() (net.Conn, error) {
	l.places <- struct{}{} // given back when one that is open closes; idle ones do after a while
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &fewConn{Conn: c, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

type fewConn struct {
	net.Conn
	leave func()
}

func (c *fewConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

type credentialsKey struct{}

func withCredentials(ctx context.Context, c net.Conn) context.Context {
	if few, ok := c.(*fewConn); ok {
		c = few.Conn
	}
	return context.WithValue(ctx, credentialsKey{}, peerCredentials(c))
}

// credentialsOf returns who is at the other end, as the kernel has noted when it connected.
func credentialsOf(ctx context.Context) string {
	text, _ := ctx.Value(credentialsKey{}).(string)
	return text
}
