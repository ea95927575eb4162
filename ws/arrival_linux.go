package ws

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"edgechat/ws/internal/loop"
)

// An arrival is the http.ResponseWriter of a handshake that a loop has read. It
// is taken for a WebSocket, or answered, or left to net/http.
type arrival struct {
	n      *newcomer
	events loop.Events // of n, that are not served yet
	head   []byte      // what came behind the handshake

	conn   *onLoop // whose it was taken for
	left   bool    // to net/http
	header http.Header
	status int
	body   *bytes.Buffer // nil while nothing was written
}

// heads are readers of what is in memory.
var heads = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64) }}

// serveHead serves the handshake that p begins with, head bytes long. It reports
// false if that is somebody else's to do.
func (r *reactor) serveHead(n *newcomer, p []byte, head int, events loop.Events) bool {
	req, err := readHead(p[:head])
	if err != nil {
		return false
	}
	a := &arrival{n: n, events: events, head: p[head:]}
	req.RemoteAddr = n.peer.String()
	if !a.serve(req) {
		n.drop()
		return true
	}
	switch {
	case a.left:
		return false
	case a.conn == nil:
		r.refuse(n, a.answer(req))
	}
	return true
}

// serve reports whether an answer is wanted. Router.serve has met the panics of guards and
// handlers, and lets pass the one that asks for none.
func (a *arrival) serve(req *http.Request) (answered bool) {
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			panic(p)
		}
	}()
	a.n.r.rt.ServeHTTP(a, req)
	return true
}

func readHead(p []byte) (*http.Request, error) {
	br := heads.Get().(*bufio.Reader)
	defer heads.Put(br)
	br.Reset(bytes.NewReader(p))
	return http.ReadRequest(br)
}

// elsewhere leaves the request to net/http, as it came.
func (a *arrival) elsewhere() { a.left = true }

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
	if a.conn != nil {
		return 0, http.ErrHijacked
	}
	a.WriteHeader(http.StatusOK)
	if a.body == nil {
		a.body = new(bytes.Buffer)
	}
	return a.body.Write(p)
}

// answer returns what was written as a whole HTTP message.
func (a *arrival) answer(req *http.Request) []byte {
	body := a.body
	if body == nil {
		body = new(bytes.Buffer)
	}
	resp := http.Response{
		StatusCode: a.status, ProtoMajor: 1, ProtoMinor: 1, Request: req, Header: a.Header(),
		Body: io.NopCloser(body), ContentLength: int64(body.Len()), Close: true,
	}
	resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var b bytes.Buffer
	_ = resp.Write(&b) // a Buffer takes everything
	return b.Bytes()
}

// takeArrival takes the connection of w for an event loop, if w came to one by itself.
func (c *core) takeArrival(w http.ResponseWriter) bool {
	a, ok := w.(*arrival)
	if !ok {
		return false
	}
	r := a.n.r
	if r.rt.reserve.crowded(a.n.FD()) {
		r.rt.conns.quit(c.source, c.oneWay)
		r.rt.turnedAway(net.TCPAddrFromAddrPort(a.n.peer))
		r.rt.refuse(a, &Request{Request: c.req.Request}, tooFull())
		return true
	}
	d := &onLoop{r: r, c: c}
	a.conn = d
	r.Become(a.n, d)
	d.enter()
	r.rt.census.leave(a.n.source)
	d.note(a.events)
	d.open(a.head)
	return true
}
