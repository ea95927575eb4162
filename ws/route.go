package ws

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/lxzan/gws"

	"edgechat/refusal"
)

// A Route is a WebSocket endpoint that takes messages of type In.
type Route[In any] struct {
	// Path is httprouter's: "/chat/room/:roomId".
	Path string
	// Guards run in order before the upgrade. Those of a React route may run on an event loop,
	// and must not wait.
	Guards []Guard
	// Subprotocols are offered in this order (RFC 6455 section 1.9); the first
	// that the client also names is chosen. A client need not name any.
	Subprotocols []string
	// MaxMessage bounds a message, in bytes; a longer one closes the connection with 1009. Default 64 KiB.
	MaxMessage int
	// Decode makes an In of a message and validates it. It must not keep data.
	// It may be called from several goroutines at once.
	Decode func(binary bool, data []byte) (In, error)
	// Reject is called instead of a Handle route's loop for a message that
	// Decode refused, on the goroutine that reads. nil closes the connection
	// with 1007 and the error's text. A Session is a Rejecter instead.
	Reject func(c *Conn[In], err error)
	// Encode makes the payload of what is given to Send. nil is JSON in a text
	// frame.
	Encode func(v any) (payload []byte, binary bool, err error)

	// Handle is called for each connection of a Handle route. When it returns, what is
	// pending is written and the connection closes: with 1000, after an error
	// with 1011, after a *CloseError with its code. A panic is logged and closes with 1011.
	Handle func(c *Conn[In]) error
	// Open is called for each connection of a React route, after the upgrade
	// and before the first message, and must not wait: what it has to wait for it asks
	// for, and sends when it is there. Its error closes the connection as that of
	// Handle does.
	Open func(c *Conn[In]) (Session[In], error)
}

// A Session is what a React route has for each connection. Its methods are
// called one at a time and must not block.
type Session[In any] interface {
	// Receive is called for each message.
	Receive(msg In)
	// Closed is called once, after the last Receive. err is nil after a normal end
	// (1000, 1001, or closed from here) and otherwise a *CloseError.
	Closed(err error)
}

// A Rejecter is a Session that answers messages which Decode refused. One that
// is not has its connection closed with 1007 and the error's text.
type Rejecter interface {
	Reject(err error)
}

// Handle adds a route whose function has a goroutine for each connection. It panics on a route that is not complete, as httprouter does on
// one that conflicts: both are mistakes of the program.
func Handle[In any](rt *Router, route Route[In]) {
	if route.Handle == nil || route.Open != nil {
		panic("ws: route " + route.Path + ": Handle takes a Route with Handle and without Open")
	}
	register(rt, route)
}

// React adds a route whose session is called for each message.
func React[In any](rt *Router, route Route[In]) {
	if route.Open == nil || route.Handle != nil || route.Reject != nil {
		panic("ws: route " + route.Path + ": React takes a Route with Open and without Handle and Reject")
	}
	register(rt, route)
}

// An endpoint is a Route as its connections use it.
type endpoint[In any] struct {
	Route[In]
	up *gws.Upgrader
}

func register[In any](rt *Router, route Route[In]) {
	if route.Decode == nil {
		panic("ws: route " + route.Path + " has no Decode")
	}
	if route.MaxMessage == 0 {
		route.MaxMessage = 64 << 10
	}
	served := &endpoint[In]{route, gws.NewUpgrader(events{}, &gws.ServerOption{
		ReadMaxPayloadSize: route.MaxMessage,
		ReadBufferSize:     readBuffer,
		ParallelGolimit:    1,
		CheckUtf8Enabled:   true, // or one bad frame, passed on, has browsers drop every receiver
		NewSession:         func() gws.SessionStorage { return noSession{} },
	})}
	// Guards come after the check of the handshake: whoever does not speak
	// WebSocket here learns that before a name or a token matters.
	guards := slices.Concat([]Guard{func(r *Request) error {
		if rt.stopping.Load() {
			return shuttingDown()
		}
		return checkHandshake(r.Request)
	}}, route.Guards)
	react := route.Open != nil
	rt.handle(http.MethodGet, route.Path, rt.route(react, guards, func(w http.ResponseWriter, r *Request) error {
		c := &Conn[In]{route: served}
		c.core = core{rt: rt, h: c, req: detached(w, r, chooseSubprotocol(r.Header, route.Subprotocols)), source: r.counts}
		return c.start(w, react)
	}))
}

// start takes the connection from whoever has served its handshake and gives it to a
// driver. net/http's goroutine returns at once, and frees its buffers.
func (c *core) start(w http.ResponseWriter, react bool) error {
	if refused := c.rt.conns.admit(c.source, c.oneWay); refused != nil {
		return refused
	}
	if react && c.takeArrival(w) {
		return nil
	}
	nc, head, err := hijack(w, c.rt.cfg.SendBuffer)
	if err != nil {
		c.rt.conns.quit(c.source, c.oneWay)
		return fmt.Errorf("ws: hijack: %w", err)
	}
	if c.rt.reserve.crowdedConn(nc) {
		c.rt.conns.quit(c.source, c.oneWay)
		c.rt.turnedAway(nc.RemoteAddr())
		c.rt.stats.refused.Add(refusal.Unavailable)
		_ = nc.SetWriteDeadline(time.Now().Add(c.rt.cfg.CloseTimeout))
		_, _ = nc.Write(tooFull().Bytes())
		return nc.Close()
	}
	if c.oneWay {
		c.rt.watchPeer(nc)
	}
	if !react || !c.moveToLoop(nc, head) {
		c.drive(nc, head, react)
	}
	return nil
}

// noSession is gws's per-connection storage, which nothing here uses; its own
// would be a map for each connection.
type noSession struct{}

func (noSession) Len() int                     { return 0 }
func (noSession) Delete(string)                {}
func (noSession) Load(string) (any, bool)      { return nil, false }
func (noSession) Store(string, any)            {}
func (noSession) Range(func(string, any) bool) {}

// ErrLeft is what Messages yields when it is called again after its loop was left.
var ErrLeft = errors.New("ws: the loop over Messages was left: nothing more is read")
