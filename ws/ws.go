// Package ws serves typed WebSocket routes beside plain HTTP on one port: path
// parameters, query, guards before the upgrade, messages that are decoded and
// validated before a handler sees them. It knows nothing of chat.
//
// There are two ways to write a route. [Handle] runs a function on a goroutine
// of its own for each connection, which iterates over [Conn.Messages]. [React]
// has a [Session] called for each message; nothing in it may block.
//
// gws parses the frames. Two drivers run it: a goroutine for each connection or, for a
// React route over plain TCP on Linux, an event loop for each core, which also accepts
// where net/http is given what [Router.Listen] returns. Everything that is
// written passes the one outbox of its connection, so that all writes have one
// order, no write ever waits for a peer while a lock is held, and a peer that
// is stuck can always be closed.
//
// The stages of a descriptor, and whose it is in each:
//
//	newcomer     accepted, has said nothing yet         a loop; after two sweeps net/http
//	handed       said what is no WebSocket handshake,   net/http, as a plainConn
//	             or one for a route with a goroutine
//	arrival      its handshake is served                a loop, which waits for nothing
//	refused      was answered with no, may still send   a loop, until it hangs up or the next sweep
//	onLoop       is a connection: talking, with gws's   a loop, which alone closes it
//	             loop as a coroutine (talk), or parked
//	             without; over, when its handler is done
//	onGoroutine  is a connection                        a goroutine that reads
//
// The one rule for callers: nothing of a React route may wait, guards included. Attach,
// Detach, Flush, Send, Pause, Resume and Close may be called from any goroutine and never block on a
// React route; the rest of Conn belongs to the goroutine that calls the handler.
package ws

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"edgechat/limit"
	"edgechat/refusal"

	"github.com/julienschmidt/httprouter"

	"edgechat/ws/internal/outbox"
)

// What a Config that names none has.
const (
	DefaultPingInterval   = 25 * time.Second
	DefaultWriteTimeout   = 10 * time.Second
	DefaultMessageTimeout = 20 * time.Second
)

// A Config holds what all routes of a Router share. The zero value works.
type Config struct {
	// PingInterval is how long a peer may be silent before it is pinged.
	// After two intervals of silence it is dropped. Default DefaultPingInterval.
	PingInterval time.Duration
	// WriteTimeout is how long a peer may take no byte of what is pending
	// before it is closed with 1013. Default DefaultWriteTimeout.
	WriteTimeout time.Duration
	// MessageTimeout is how long a message may take from its first byte to its
	// last, before its sender is closed with 1008. Default DefaultMessageTimeout.
	MessageTimeout time.Duration
	// CloseTimeout is how long a peer has to answer a close frame before the
	// connection is cut. Default 1 s.
	CloseTimeout time.Duration
	// MaxPending bounds the frames for one connection alone that wait for a
	// peer to take them, in bytes. A React connection over it is closed with
	// 1013; Send on a Handle route waits instead. Default 64 KiB.
	MaxPending int
	// SendBuffer is the kernel's send buffer of a connection, plain HTTP's included, in bytes. Left
	// to itself Linux lets it grow to megabytes for a peer that is stuck.
	// Default 64 KiB.
	SendBuffer int
	// Descriptors is how many the process may have open. The last 64 of them, or a quarter if that is less, are kept
	// from WebSockets, and but for plain HTTP from this machine no connection is served with them.
	// Default what the kernel says; it has no effect on TLS and unix sockets before their handshake.
	Descriptors int
	// Proxies are those that are trusted to say whom they speak for. Default this machine alone.
	Proxies limit.Proxies
	// Gate, if there is one, is called first for each request, whatever its path. It may set headers of the answer; its
	// error is answered as a Guard's is. It may run on an event loop, and must not wait; a request that a loop
	// leaves to net/http passes it twice.
	Gate func(w http.ResponseWriter, r *http.Request) error
	// BasePath is where a proxy has this server, without the slash at its end: "/chat". It is taken away from a path that
	// begins with it; paths without it are served as well. Default "".
	BasePath string
	// Limits say how many connections there may be, and how much comes over one. Default no limits.
	Limits Limits
	// Logger gets rare events and, at debug level, one line a connection. nil
	// discards.
	Logger *slog.Logger

	// For tests.
	driver driving
	loops  int // event loops; default one for each core
}

// A driving says which driver a connection gets.
type driving uint8

const (
	autoDriver      driving = iota // the event loop where it can, else a goroutine
	goroutineDriver                // a goroutine for each connection
	hijackLoop                     // the event loop, for connections that net/http has accepted
)

func (cfg *Config) defaults() error {
	for _, d := range []struct {
		name string
		v    *time.Duration
		def  time.Duration
	}{
		{"PingInterval", &cfg.PingInterval, 25 * time.Second},
		{"WriteTimeout", &cfg.WriteTimeout, 10 * time.Second},
		{"MessageTimeout", &cfg.MessageTimeout, DefaultMessageTimeout},
		{"CloseTimeout", &cfg.CloseTimeout, time.Second},
	} {
		if *d.v == 0 {
			*d.v = d.def
		}
		if *d.v < time.Millisecond {
			return fmt.Errorf("ws: %s is %v, must be at least 1ms", d.name, *d.v)
		}
	}
	if cfg.MaxPending == 0 {
		cfg.MaxPending = 64 << 10
	}
	if cfg.SendBuffer == 0 {
		cfg.SendBuffer = 64 << 10
	}
	if cfg.MaxPending < 0 || cfg.SendBuffer < 0 {
		return errors.New("ws: MaxPending and SendBuffer must not be negative")
	}
	if cfg.Descriptors == 0 {
		cfg.Descriptors = maxDescriptors()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}

// A Router dispatches requests to HTTP and WebSocket routes and owns every
// WebSocket connection that came of them. It is an http.Handler; routes are
// added before it serves.
type Router struct {
	cfg    Config
	mux    *httprouter.Router
	conns  registry
	stats  counters
	outbox outbox.Config
	lobby  lobby
	census census
	clock  limit.Clock

	shaking chan struct{} // a handshake of TLS computes

	reserve reserve
	rare    struct {
		crowded, short, accept rarely
		refused, closed        offenders
	}

	reactors []*reactor
	turns    atomic.Uint32 // which of them gets the next connection

	stopping atomic.Bool
	life     context.Context // ends when Shutdown begins
	die      context.CancelFunc
	tick     atomic.Uint32  // the sweeper's clock, see sweep.go: the number of the sweep that has begun
	swept    atomic.Uint32  // and of the last that has ended
	halt     chan struct{}  // closed to end the sweeper
	wg       sync.WaitGroup // the sweeper, the loops, the goroutines of connections
	stop     sync.Once
}

// NewRouter returns a Router without routes. It has a goroutine from the
// start; Shutdown ends it.
func NewRouter(cfg Config) (*Router, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	rt := &Router{cfg: cfg, mux: httprouter.New(), halt: make(chan struct{})}
	rt.life, rt.die = context.WithCancel(context.Background())
	rt.outbox = outbox.Config{MaxPending: cfg.MaxPending, CloseTimeout: cfg.CloseTimeout, Tick: &rt.tick, Slow: &rt.stats.slow, Closed: &rt.stats.closed, Closing: rt.closing}
	rt.reserve = newReserve(cfg.Descriptors)
	rt.clock = limit.NewClock()
	rt.shaking = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))
	rt.census.init(rt)
	rt.conns.init(cfg.Limits, &rt.census.counts)
	// WebSocket clients follow no redirects: a clear 404 is the better answer.
	rt.mux.RedirectTrailingSlash = false
	rt.mux.RedirectFixedPath = false
	rt.mux.NotFound = rt.plain(func(http.ResponseWriter, *Request) error {
		return refusal.New(refusal.NotFound, "there is nothing at this path")
	})
	rt.mux.MethodNotAllowed = rt.plain(func(_ http.ResponseWriter, r *Request) error {
		return refusal.New(refusal.MethodNotAllowed, r.Method+" is not allowed here, see the Allow header")
	})
	if err := rt.startReactors(); err != nil {
		rt.stopLoops()
		rt.wg.Wait()
		return nil, fmt.Errorf("ws: start event loops: %w", err)
	}
	rt.wg.Go(rt.sweep)
	return rt, nil
}

// PingInterval returns how long a peer may be silent before it is pinged.
func (rt *Router) PingInterval() time.Duration { return rt.cfg.PingInterval }

// OnStop has f called, in a goroutine of its own, when Shutdown begins: handlers that wait are to answer. cancel takes that back.
func (rt *Router) OnStop(f func()) (cancel func() bool) { return context.AfterFunc(rt.life, f) }

// Shutdown refuses new connections with 503, closes those there are with code
// and reason once what is pending for them was written, and returns when
// the last handler has. When ctx ends first, the rest is cut and its error
// returned. It does not touch plain HTTP requests: those are http.Server's.
func (rt *Router) Shutdown(ctx context.Context, code uint16, reason string) error {
	rt.stopping.Store(true)
	rt.die()
	rt.conns.shut()
	for _, c := range rt.conns.all(nil) {
		c.out.Close(code, reason, true)
	}
	ended := make(chan struct{})
	go func() { // ends with the last handler, to which nothing can be read or written once it is cut
		rt.conns.wait()
		rt.stopLoops()
		rt.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	for _, c := range rt.conns.all(nil) {
		c.out.Kill()
	}
	select {
	case <-ended:
	case <-time.After(rt.cfg.CloseTimeout): // a handler that does not return is not waited for
	}
	return fmt.Errorf("ws: connections cut at shutdown: %w", context.Cause(ctx))
}

// stopLoops ends the sweeper and the loops, which have no connection any more.
func (rt *Router) stopLoops() {
	rt.stop.Do(func() { close(rt.halt) })
	for _, r := range rt.reactors {
		r.Stop()
	}
}
