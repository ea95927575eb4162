package ws

import (
	"bytes"
	"net"
	"net/http"
	"time"

	"github.com/lxzan/gws"

	"edgechat/refusal"
	"edgechat/ws/internal/frame"
	"edgechat/ws/internal/outbox"
)

// A Feed is the answer to a plain request that has no end: its peer reads, and says nothing more. It is written as a WebSocket is,
// by the same drivers from the same streams, and costs as little; it is counted by itself (Limits.Streams), and with the WebSockets of its
// address. What its peer sends is dropped. It is pinged each ping interval, whatever else it is written, and ends where a
// WebSocket would be closed, with a last piece that says why.
//
// The body ends with the connection, so that it is the same for HTTP/1.0, which proxies speak by default.
type Feed struct {
	core
	form *FeedForm
	head []byte            // of the answer, until it is queued
	join func(*Feed) error // until it was called
	over func()
}

// A FeedForm is what the bodies of a kind of feeds are made of: pieces, each of which ends in the same way. It is not changed once
// it is in use.
type FeedForm struct {
	// ContentType is the answer's.
	ContentType string
	// End is what each piece ends with, and what stands nowhere else in one.
	End string
	// Ping is the piece that says that the server is there.
	Ping string
	// Close returns the last piece, for a close code as of a WebSocket and its reason.
	Close func(code uint16, reason string) []byte
	// Comeback has a request that comes while the router is shut down answered by 200 and the last piece: its reader gives up for
	// ever behind any other status.
	Comeback bool

	box outbox.Config
}

// Feed answers r with a feed, which lives on when the handler has returned. open is called for it as Route.Open is: it may attach
// streams and send, but not wait. Its error closes the feed. over is called once, behind the last of it.
// An error of Feed is that of a Guard, or says that the peer is gone.
func (rt *Router) Feed(w http.ResponseWriter, r *Request, form *FeedForm, open func(f *Feed) error, over func()) error {
	h := w.Header()
	h.Set("Content-Type", form.ContentType)
	h.Set("Cache-Control", "no-store, no-transform") // a compressor on the way would hold it back
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // nginx
	h.Set("Connection", "close")
	switch {
	case r.Method == http.MethodHead:
		w.WriteHeader(http.StatusOK)
		return nil
	case rt.stopping.Load() && form.Comeback:
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(form.Close(refusal.CloseServiceRestart, shuttingDown().Message)) // the peer is gone if it fails
		return nil
	}
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 200 OK\r\n")
	_ = h.Write(&head) // a Buffer takes everything
	head.WriteString("\r\n")

	f := &Feed{form: form, head: head.Bytes(), join: open, over: over}
	f.core = core{rt: rt, h: f, req: detached(w, r, ""), source: r.counts, oneWay: true, pinged: rt.tick.Load()}
	err := f.start(w, true)
	if err != nil {
		h.Del("X-Accel-Buffering")
		h.Del("Date")
	}
	return err
}

// Form makes form ready for feeds of this router, and returns it.
func (rt *Router) Form(form *FeedForm) *FeedForm {
	form.box = rt.outbox
	form.box.Closed, form.box.Form = &rt.stats.fed, feedFrames{form}
	return form
}

// Wait counts a request that waits for something as a stream, until done is called, so that those leave plain HTTP
// its connections. An error is its answer.
func (rt *Router) Wait() (done func(), err error) {
	if refused := rt.conns.admitWait(); refused != nil {
		return nil, refused
	}
	return rt.conns.endWait, nil
}

// Send queues pieces for this peer alone. It returns net.ErrClosed once the feed is closing.
func (f *Feed) Send(pieces []byte) error {
	err := f.out.Queue(frame.Text, pieces, false)
	f.driver().wake()
	return err
}

func (f *Feed) open() error {
	open := f.join
	f.join, f.head = nil, nil
	f.out.HangUp() // behind the last piece, which is the end of the answer
	err := open(f)
	f.req = nil
	return err
}

func (f *Feed) closed(error) {
	if f.over != nil {
		f.over()
	}
}

func (f *Feed) answer() []byte          { return f.head }
func (f *Feed) box() *outbox.Config     { return &f.form.box }
func (f *Feed) serve() error            { return f.open() }
func (f *Feed) message(bool, []byte)    {}
func (f *Feed) limit() int              { return 0 }
func (f *Feed) upgrader() *gws.Upgrader { return nil }

// ignore drops n bytes of a feed's peer, who is to send none. One that goes on is cut: what it has sent would be read for ever.
func (c *core) ignore(n int) {
	before := c.sated()
	if c.scrap = min(c.scrap+int32(n), maxScrap+1); c.sated() && !before {
		c.rt.stats.violated.Add(1)
		c.out.Kill()
	}
}

// runFeed ends when the peer has gone or been cut.
func (d *onGoroutine) runFeed() {
	c := d.c
	d.react = false // what is sent is written at once
	defer c.rt.conns.remove(c)
	defer c.out.Kill()
	c.answer()
	err := c.caught(c.h.open)
	c.out.Uncork()
	if err != nil {
		c.closeFor(err)
	}
	var scrap [256]byte
	for {
		n, err := d.nc.Read(scrap[:])
		if err != nil {
			c.readFailed(err)
			break
		}
		c.ignore(n)
	}
	c.end()
}

// feedFrames is how the pieces of a form are framed.
type feedFrames struct{ form *FeedForm }

func (x feedFrames) Append(dst []byte, opcode byte, payload []byte) []byte {
	if opcode == frame.Ping {
		return append(dst, x.form.Ping...)
	}
	return append(dst, payload...)
}

func (x feedFrames) Whole(p []byte, n int) int {
	from := max(n-len(x.form.End), 0)
	i := bytes.Index(p[from:], []byte(x.form.End))
	if i < 0 {
		return len(p) // there is none: whole pieces are all that comes here
	}
	return from + i + len(x.form.End)
}

func (x feedFrames) ClosePayload(code uint16, reason string) []byte {
	return x.form.Close(code, reason)
}

// watchPeer has the kernel end a connection whose peer takes nothing for two ping intervals, its acknowledgements of pings among it: who
// was switched off says nothing, and a feed asks for no answer.
func (rt *Router) watchPeer(nc net.Conn) { setUserTimeout(nc, 2*rt.cfg.PingInterval) }
