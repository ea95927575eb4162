package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lxzan/gws"
)

const (
	subprotocol = "edgechat.v1.json"
	// handshakeTimeout bounds the way from a connection to its first frame.
	handshakeTimeout = 30 * time.Second
	// writeTimeout is how long the kernel may take nothing of a frame.
	writeTimeout = 10 * time.Second
	// closeTimeout is the same once the Room is left.
	closeTimeout = time.Second
	// pongTimeout is how long the answer to a ping may take.
	pongTimeout = 5 * time.Second
	// maxFrame bounds what a server sends at once: the longest content there is, each byte of it escaped.
	maxFrame = 1 << 20
)

// A line is one connection. It is a net.Conn for gws, which notes when something was heard, and bounds
// each write.
type line struct {
	net.Conn
	room   *Room
	socket *gws.Conn
	open   atomic.Bool  // the handshake is done
	ending atomic.Bool  // the Room is left
	heard  atomic.Int64 // when something came last, since epoch
	full   atomic.Bool  // nothing is read, since nobody takes the events
	epoch  time.Time
	asked  time.Duration // when a ping was sent, since epoch; 0 if none waits for its answer; tend's

	once sync.Once
	why  error // that it was cut for; set by once
	end  error // what gws or the server said at the end; the reader's
	over chan struct{}
}

func (l *line) now() time.Duration { return time.Since(l.epoch) }

func (l *line) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if n > 0 {
		l.heard.Store(int64(l.now()))
	}
	return n, err
}

func (l *line) Write(p []byte) (int, error) {
	if l.open.Load() {
		timeout := writeTimeout
		if l.ending.Load() {
			timeout = closeTimeout
		}
		if err := l.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
			return 0, err
		}
	}
	return l.Conn.Write(p)
}

// Close is for gws, which closes a connection before anyone could read why it was refused.
func (l *line) Close() error {
	if !l.open.Load() {
		return nil
	}
	return l.Conn.Close()
}

// cut ends the connection for a reason; the first one counts.
func (l *line) cut(err error) {
	l.once.Do(func() { l.why = err })
	_ = l.Conn.Close()
}

// text sends one frame.
func (l *line) text(p []byte) error { return l.socket.WriteMessage(gws.OpcodeText, p) }

// address is where a path below the room is, at a server.
func (r *Room) address(base *url.URL, below string, query url.Values) *url.URL {
	u := *base
	path := "/chat/room/" + url.PathEscape(r.cfg.Room) + below
	u.RawPath = base.EscapedPath() + path
	u.Path, _ = url.PathUnescape(u.RawPath) // it was escaped above
	u.RawQuery = query.Encode()
	return &u
}

// dial opens a connection to a server, over TLS if the address says so.
func (r *Room) dial(ctx context.Context, base *url.URL) (net.Conn, error) {
	conn, err := r.cfg.Dial(ctx, "tcp", hostPort(base))
	if err != nil || !isSecure(base) {
		return conn, err
	}
	cfg := &tls.Config{}
	if r.cfg.TLS != nil {
		cfg = r.cfg.TLS.Clone()
	}
	if cfg.ServerName == "" {
		cfg.ServerName = base.Hostname()
	}
	cfg.NextProtos = []string{"http/1.1"} // HTTP/2 has no upgrade
	over := tls.Client(conn, cfg)
	if err := over.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return over, nil
}

func (r *Room) header() http.Header {
	h := http.Header{"User-Agent": {"edgechat-go"}}
	if r.cfg.Token != "" {
		h.Set("Authorization", "Bearer "+r.cfg.Token)
	}
	return h
}

// connect does the handshake. Nothing is read behind it yet.
func (r *Room) connect(ctx context.Context) (_ *line, err error) {
	base := r.places.now()
	conn, err := r.dial(ctx, base)
	if err != nil {
		return nil, err
	}
	l := &line{Conn: conn, room: r, epoch: time.Now(), over: make(chan struct{})}
	defer func() {
		if err != nil {
			_ = conn.Close()
		}
	}()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()

	query := url.Values{}
	set := func(name, value string) {
		if value != "" {
			query.Set(name, value)
		}
	}
	set("username", r.cfg.Username)
	if !r.cfg.WriteOnly {
		set("since", r.cursor)
	}
	if r.cfg.Limit > 0 && r.cursor == r.cfg.Since { // of what comes behind a cursor of ours nothing may be missing
		set("limit", strconv.Itoa(r.cfg.Limit))
	}
	if r.cfg.WriteOnly {
		set("announce", "0")
	}
	u := r.address(base, "", query)
	u.Scheme = "ws" // what is below is dialed already
	header := r.header()
	header.Set("Sec-WebSocket-Protocol", subprotocol)
	socket, resp, err := gws.NewClientFromConn(events{}, &gws.ClientOption{
		Addr: u.String(), RequestHeader: header, HandshakeTimeout: time.Hour, // ctx ends sooner
		ReadMaxPayloadSize: maxFrame, NewSession: func() gws.SessionStorage { return noSession{} },
	}, l)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, fmt.Errorf("handshake: %w", context.Cause(ctx))
	case resp == nil:
		return nil, fmt.Errorf("handshake: %w", err)
	case resp.StatusCode != http.StatusSwitchingProtocols:
		return nil, RefusalOf(resp)
	default:
		return nil, fmt.Errorf("%w: %w", ErrNotEdgechat, err)
	}
	if !stop() {
		return nil, context.Cause(ctx)
	}
	l.socket = socket
	l.heard.Store(int64(l.now()))
	l.open.Store(true)
	return l, nil
}

// read hands what comes to the Room, until the connection ends, and says why it did.
func (l *line) read() (err error) {
	defer close(l.over)
	defer l.Conn.Close()
	defer func() {
		// gws v1.9.1 panics on a frame whose length is negative as an int.
		if p := recover(); p != nil {
			err = fmt.Errorf("client: reading a frame: %v", p)
		}
	}()
	l.socket.ReadLoop()
	l.once.Do(func() { l.why = l.end })
	if no, ok := errors.AsType[*Refusal](l.end); ok { // by which a write may have failed, too
		if _, told := errors.AsType[*Refusal](l.why); !told {
			return no
		}
	}
	if l.why != nil {
		return l.why
	}
	return errors.New("client: the connection ended")
}

// events are what gws calls from ReadLoop.
type events struct{ gws.BuiltinEventHandler }

func lineOf(socket *gws.Conn) *line { return socket.NetConn().(*line) }

func (events) OnPing(socket *gws.Conn, payload []byte) { _ = socket.WritePong(payload) }

func (events) OnMessage(socket *gws.Conn, m *gws.Message) {
	l := lineOf(socket)
	if m.Opcode == gws.OpcodeText {
		if err := l.room.receive(l, m.Bytes()); err != nil {
			l.cut(err)
		}
	}
	_ = m.Close()
}

func (events) OnClose(socket *gws.Conn, err error) {
	l := lineOf(socket)
	if e, ok := errors.AsType[*gws.CloseError](err); ok {
		err = closedWith(int(e.Code), string(e.Reason))
	}
	if l.end == nil { // the first has the frame, the second repeats it
		l.end = err
	}
}

// noSession spares each connection a map.
type noSession struct{}

func (noSession) Len() int                     { return 0 }
func (noSession) Load(string) (any, bool)      { return nil, false }
func (noSession) Delete(string)                {}
func (noSession) Store(string, any)            {}
func (noSession) Range(func(string, any) bool) {}
