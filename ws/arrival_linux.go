package ws

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// An arrival is a connection of which the loop has read a handshake, as
// the http.ResponseWriter of that. It is either taken for a WebSocket or
// answered, and closed with that.
type arrival struct {
	rt   *Router
	loop *loop
	fd   int32
	head []byte // what came behind the handshake
	req  *http.Request
	rest func() // what is to be done where it may wait

	onLoop bool // nothing may wait here

	taken  bool
	header http.Header
	status int
	body   bytes.Buffer
}

// heads are readers of what is in memory.
var heads = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64) }}

// admit serves the handshake that p begins with, head bytes long.
func (l *loop) admit(n newcomer, fd int32, p []byte, head int) {
	req, err := readHead(p[:head])
	if err != nil { // somebody else's to answer
		l.unwatch(fd)
		n.door.hand(fd, p)
		return
	}
	a := &arrival{rt: l.rt, loop: l, fd: fd, head: p[head:], req: req, onLoop: true}
	req.RemoteAddr = peerOf(fd).String()
	a.run(func() { l.rt.ServeHTTP(a, req) })
}

// run serves the request on the loop. What is left to do then may have to wait,
// and is done elsewhere.
func (a *arrival) run(serve func()) {
	a.caught(serve)
	switch {
	case a.rest != nil: // not served yet
		a.rt.usher(func() {
			a.onLoop = false
			a.caught(a.rest)
			if !a.taken {
				a.finish()
			}
		})
	case !a.taken:
		a.rt.usher(a.finish)
	}
}

func (a *arrival) caught(serve func()) {
	defer func() {
		// Router.serve has met the panics of guards and handlers, and lets pass
		// the one that asks for no answer. What is left is that of a Prompt.
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			a.rt.stats.panics.Add(1)
			a.rt.cfg.Logger.Error("handler panicked", "path", a.req.URL.Path, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	serve()
}

// later has the rest of the request served where it may wait.
func (a *arrival) later(serve func()) { a.rest = serve }

func readHead(p []byte) (*http.Request, error) {
	br := heads.Get().(*bufio.Reader)
	defer heads.Put(br)
	br.Reset(bytes.NewReader(p))
	return http.ReadRequest(br)
}

func (a *arrival) Header() http.Header {
	if a.header == nil {
		a.header = make(http.Header)
	}
	return a.header
}

func (a *arrival) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *arrival) Write(p []byte) (int, error) {
	if a.taken {
		return 0, http.ErrHijacked
	}
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// takeArrival takes the connection of w for an event loop, if w came to one by itself.
func (c *core) takeArrival(w http.ResponseWriter) (head []byte, ok bool) {
	a, ok := w.(*arrival)
	if !ok || a.taken {
		return nil, false
	}
	a.taken = true
	c.loop, c.fd = a.loop, a.fd
	c.inTurn = a.onLoop
	tuneDescriptor(c.fd, c.rt.cfg.SendBuffer)
	return a.head, true
}

// Hijack implements http.Hijacker.
func (a *arrival) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if a.taken {
		return nil, nil, http.ErrHijacked
	}
	a.taken = true
	a.loop.unwatch(a.fd)
	nc, err := guest{fd: a.fd}.conn()
	if err != nil {
		return nil, nil, err
	}
	br := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(a.head), nc), max(len(a.head), 16))
	if _, err := br.Peek(len(a.head)); err != nil {
		return nil, nil, errors.Join(err, nc.Close())
	}
	return nc, bufio.NewReadWriter(br, bufio.NewWriter(nc)), nil
}

// lingerTimeout is how long somebody who was refused has to hang up: cut before, he
// might lose the answer.
const lingerTimeout = 500 * time.Millisecond

// finish writes the answer and closes the connection.
func (a *arrival) finish() {
	a.loop.unwatch(a.fd)
	nc, err := guest{fd: a.fd}.conn()
	if err != nil {
		return
	}
	defer nc.Close()
	if a.status == 0 {
		return // aborted
	}
	resp := http.Response{
		StatusCode: a.status, ProtoMajor: 1, ProtoMinor: 1, Request: a.req, Header: a.Header(),
		Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()), Close: true,
	}
	resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	_ = nc.SetDeadline(time.Now().Add(lingerTimeout))
	if resp.Write(nc) != nil || nc.(*net.TCPConn).CloseWrite() != nil {
		return
	}
	_, _ = io.Copy(io.Discard, nc)
}
