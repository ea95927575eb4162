// Package client is edgechat for programs in Go: it joins a room, hands out what is said
// there, and publishes.
//
// A Room loses nothing. It comes back by itself after a lost network or a restart of the server,
// with the cursor of the last message, so that each message is handed out once and in order; where
// some are missing for good a Gap stands in their place. What was not acknowledged is sent again under
// the same key, so that it is published once. A line that has died is noticed within the ping interval
// that the server tells, and 5 s. If the server names others that have the same rooms, the Room goes on there when that one is gone.
//
//	room, err := client.Join(ctx, client.Config{URL: "http://pi.local:3000", Room: "den", Username: "shed"})
//	...
//	go room.Publish(ctx, "the door is open")
//	for event, err := range room.Events() {
//
// The one rule: who joins reads its Events, or says WriteOnly. When Config.Queue events wait, nothing
// more is read of the connection, acknowledgements neither.
//
// docs/protocol.md of the project is the contract.
package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Defaults of Config.
const (
	DefaultQueue      = 256
	DefaultWindow     = 20 // less than a server takes at once by default
	DefaultBackoffMin = 500 * time.Millisecond
	DefaultBackoffMax = 30 * time.Second
	DefaultAckTimeout = 15 * time.Second
)

// All is a Config.Since that asks for all that the server's buffer holds.
const All = "all"

// A Config says who joins which room, and where. URL and Room are needed.
type Config struct {
	URL      string // of the server: http, https, ws or wss, with the path below which a proxy has it
	Room     string
	Username string // "" is the server's "Anonymous"; with a Token, its name is used
	Token    string // sent as Authorization: Bearer

	// Since is the ID after which messages are handed out, or All. "" hands out what is said from now on.
	Since string
	// Limit is how many messages a replay has at most, the newest ones. 0 is the server's limit.
	Limit int
	// WriteOnly hands out nothing, and has nobody hear of this connection: it is no member.
	WriteOnly bool

	TLS   *tls.Config // of https and wss; nil is the system's certificates
	Queue int         // events that wait for Events. 0 is DefaultQueue
	// Window is how many messages are under way at once, where Publish is called from several
	// goroutines. 0 is DefaultWindow. The server may ask for fewer.
	Window int

	// The wait before a connection is tried again is random, at least BackoffMin, and up to twice as
	// long after each failure, up to BackoffMax. 0 is DefaultBackoffMin and DefaultBackoffMax. A server that says
	// when to come back is believed.
	BackoffMin, BackoffMax time.Duration
	// AckTimeout is how long a message may wait for its acknowledgement before the connection is
	// replaced. 0 is DefaultAckTimeout.
	AckTimeout time.Duration

	// OnLost is told why a connection could not be made or has ended, and how long the
	// Room waits now. It is called from the Room's goroutine and must not block. May be nil.
	OnLost func(err error, wait time.Duration)
	// Dial makes connections. nil is that of a net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// A Room is a place in a room, over as many connections as it takes. Its methods may be called from
// any goroutine.
type Room struct {
	cfg    Config
	places places
	ctx    context.Context
	leave  context.CancelFunc
	events chan Event
	joined chan struct{} // closed with the first subscribed
	done   chan struct{} // closed when run has returned; err is set before
	err    error
	wake   chan struct{} // holds one: there is something to send

	// Of run's goroutine.
	cursor  string
	seen    seen
	head    uint64 // offset of the newest message when it subscribed
	attempt int
	entered time.Time // when this connection subscribed; zero if it has not
	lost    error     // why there is no connection

	mu      sync.Mutex
	line    *line      // which is subscribed; nil while there is none
	info    Subscribed // of the newest connection
	pending []*entry   // in the order of Publish
	window  int
	pace    time.Duration // between two messages, while window is 1
	hold    time.Time     // nothing is sent before
	since   time.Time     // the longest wait for an acknowledgement began; zero if nothing is under way
}

// Join connects, and tries again what another try may mend, until it is in the room or ctx ends. A
// refusal that is final is a *Refusal. The Room leaves when ctx ends.
func Join(ctx context.Context, cfg Config) (*Room, error) {
	base, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	r := &Room{
		cfg: cfg, cursor: cfg.Since, window: cfg.Window,
		events: make(chan Event, cfg.Queue), joined: make(chan struct{}), done: make(chan struct{}), wake: make(chan struct{}, 1),
	}
	r.places.init(base)
	r.ctx, r.leave = context.WithCancel(ctx)
	go r.run() // ends with ctx, with Close, or by a final refusal; Close waits
	select {
	case <-r.joined:
		return r, nil
	case <-r.done:
		r.leave()
		if r.err != nil {
			return nil, r.err
		}
		if r.lost != nil {
			return nil, fmt.Errorf("%w: %w", context.Cause(ctx), r.lost)
		}
		return nil, context.Cause(ctx)
	}
}

// complete puts defaults in and returns the address of the server.
func (c *Config) complete() (*url.URL, error) {
	u, err := ParseURL(c.URL)
	if err != nil {
		return nil, err
	}
	if c.Room == "" || c.Room == "." || c.Room == ".." {
		return nil, &Refusal{Code: "invalid_room", Message: fmt.Sprintf("%q is not the name of a room", c.Room)}
	}
	if c.Queue < 0 || c.Window < 0 || c.Limit < 0 || c.BackoffMin < 0 || c.BackoffMax < 0 || c.AckTimeout < 0 {
		return nil, errors.New("client: a number of Config is negative")
	}
	c.Queue = or(c.Queue, DefaultQueue)
	c.Window = or(c.Window, DefaultWindow)
	c.BackoffMin = or(c.BackoffMin, DefaultBackoffMin)
	c.BackoffMax = max(or(c.BackoffMax, DefaultBackoffMax), c.BackoffMin)
	c.AckTimeout = or(c.AckTimeout, DefaultAckTimeout)
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.WriteOnly {
		c.Since = ""
	}
	return u, nil
}

func or[T int | time.Duration](v, other T) T {
	if v == 0 {
		return other
	}
	return v
}

// ParseURL reads the address of a server as Config takes it.
func ParseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return nil, fmt.Errorf("%q is not of the form http://host:port", text)
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return nil, fmt.Errorf("%q has more than http://host:port and a path", text)
	}
	switch u.Scheme {
	case "http", "https", "ws", "wss":
	default:
		return nil, fmt.Errorf("%q: scheme %q is none of http, https, ws and wss", text, u.Scheme)
	}
	u.Path, u.RawPath = strings.TrimRight(u.Path, "/"), strings.TrimRight(u.RawPath, "/")
	return u, nil
}

// Subscribed returns what the server said when the Room entered last.
func (r *Room) Subscribed() Subscribed {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.info
}

// Close leaves the room. Messages whose acknowledgement has not come are given up with ErrClosed.
func (r *Room) Close() {
	r.leave()
	<-r.done
}
