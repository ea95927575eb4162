package ws

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"edgechat/refusal"

	"github.com/lxzan/gws"
)

// A Route is a WebSocket endpoint that takes messages of type In.
type Route[In any] struct {
	// Path is httprouter's: "/chat/room/:roomId".
	Path string
	// Guards run in order before the upgrade.
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
	// and before the first message. Its error closes the connection as that of
	// Handle does.
	Open func(c *Conn[In]) (Session[In], error)
	// Prompt reports whether the guards and Open of a React route wait for
	// nothing, disks included, when they serve r, of which no guard has seen anything.
	// Then an event loop runs them itself, which makes connecting a third
	// cheaper. nil is never.
	Prompt func(r *Request) bool
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
	if route.Handle == nil || route.Open != nil || route.Prompt != nil {
		panic("ws: route " + route.Path + ": Handle takes a Route with Handle and without Open and Prompt")
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
	upgraders map[string]*gws.Upgrader // by subprotocol
}

func register[In any](rt *Router, route Route[In]) {
	if route.Decode == nil {
		panic("ws: route " + route.Path + " has no Decode")
	}
	if route.MaxMessage == 0 {
		route.MaxMessage = 64 << 10
	}
	upgraders := make(map[string]*gws.Upgrader)
	for _, sub := range append([]string{""}, route.Subprotocols...) {
		option := &gws.ServerOption{
			ReadMaxPayloadSize: route.MaxMessage,
			ReadBufferSize:     readBuffer,
			ParallelGolimit:    1,
			CheckUtf8Enabled:   true, // or one bad frame, passed on, has browsers drop every receiver
			NewSession:         func() gws.SessionStorage { return noSession{} },
		}
		if sub != "" {
			option.SubProtocols = []string{sub}
		}
		upgraders[sub] = gws.NewUpgrader(events{}, option)
	}
	served := &endpoint[In]{route, upgraders}
	// Guards come after the check of the handshake: whoever does not speak
	// WebSocket here learns that before a name or a token matters.
	guards := slices.Concat([]Guard{func(r *Request) error {
		if rt.stopping.Load() {
			return shuttingDown()
		}
		return checkHandshake(r.Request)
	}}, route.Guards)
	rt.handle(http.MethodGet, route.Path, rt.route(route.Prompt, guards, func(w http.ResponseWriter, r *Request) error {
		sub := chooseSubprotocol(r.Header, route.Subprotocols)
		c := &Conn[In]{route: served}
		c.core = core{
			rt: rt, h: c, fd: -1, req: detached(r, sub),
			corked: route.Open != nil, // the answer to the handshake and the first frames are one write
		}
		head, err := c.take(w, route.Open != nil)
		if err != nil {
			return fmt.Errorf("ws: hijack: %w", err)
		}
		c.start(upgraders[sub], head, route.Open != nil)
		return nil
	}))
}

// shuttingDown answers a handshake that came too late.
func shuttingDown() *refusal.Error {
	return refusal.New(refusal.Unavailable, "the server is shutting down, try again soon").With("Retry-After", "5")
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
