// Package load puts a server under load and checks every message that comes
// back: clients in rooms, some of which publish, either at a rate or as fast as
// the room takes it.
//
// One rule for callers: Run is the whole run, from the first connect to the last
// close; cancel its context to end it early, and there is a report all the same.
//
// Caveats. The load takes its share of the machine: on the board that serves, it
// costs about as much as the server. What it publishes stays in the history of its
// rooms until newer messages or the bounds of the history push it out.
package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

// Config is one load. URL must be set; the other zero values stand for the
// defaults, save for Rate.
type Config struct {
	// URL is where the server is: "ws://127.0.0.1:3000". A path is put in front of
	// those of the protocol.
	URL   string
	Nodes []string // further nodes of the same cluster: the clients of a room, and who publishes in rooms, are spread over all
	Token string   // bearer token; "" is none

	Clients    int           // default 100
	Rooms      int           // default 10; client i is in room i modulo Rooms
	Publishers int           // clients of each room that publish; default 1
	Rate       float64       // messages a second in each room; 0 holds the connections and says nothing
	Duration   time.Duration // of publishing; default 10 s
	Size       int           // bytes of content, MinSize at least; default 100
	MsgPack    bool          // rather than JSON
	Keys       bool          // publish under idempotency keys, which has each message acknowledged

	// Saturate publishes as fast as the rooms take it, rather than at Rate:
	// a publisher sends the next message once all members of its room have all but
	// its newest Window ones.
	Saturate bool
	Window   int // default 16

	// Pid is the server's process, to measure; 0 looks for who listens there.
	Pid int

	Connecting     int           // clients that connect at a time; default 64
	ConnectTimeout time.Duration // of one client, until it is in its room; default 10 s
	WriteTimeout   time.Duration // of one write; default 10 s
	Settle         time.Duration // longest wait, before publishing, for the news of who joined to end; default 10 s
	Patience       time.Duration // silence after which what has not come is lost, and a closed loop is stuck; default 3 s
	Drain          time.Duration // longest wait for what is still to come after publishing; default 30 s
	MaxFrame       int           // bytes of a frame from the server; default 1 MiB

	// Progress, if not nil, is called about once a second, from one goroutine.
	Progress func(Progress)
}

// Progress is a run as it stands.
type Progress struct {
	Phase     string // "connecting", "settling", "publishing", "draining"
	Elapsed   time.Duration
	Connected int
	Published int64
	Delivered int64
	Lost      int64 // gaps that have been seen so far and are still open
}

func (cfg Config) withDefaults() (Config, error) {
	negative := ""
	if !(cfg.Rate >= 0) {
		negative = "Rate"
	}
	positive := func(name string, v *int, def int) {
		if *v < 0 {
			negative = name
		}
		if *v == 0 {
			*v = def
		}
	}
	lasting := func(name string, v *time.Duration, def time.Duration) {
		if *v < 0 {
			negative = name
		}
		if *v == 0 {
			*v = def
		}
	}
	positive("Clients", &cfg.Clients, 100)
	positive("Rooms", &cfg.Rooms, 10)
	positive("Publishers", &cfg.Publishers, 1)
	positive("Size", &cfg.Size, 100)
	positive("Window", &cfg.Window, 16)
	positive("Connecting", &cfg.Connecting, 64)
	positive("MaxFrame", &cfg.MaxFrame, 1<<20)
	lasting("Duration", &cfg.Duration, 10*time.Second)
	lasting("ConnectTimeout", &cfg.ConnectTimeout, 10*time.Second)
	lasting("WriteTimeout", &cfg.WriteTimeout, 10*time.Second)
	lasting("Settle", &cfg.Settle, 10*time.Second)
	lasting("Patience", &cfg.Patience, 3*time.Second)
	lasting("Drain", &cfg.Drain, 30*time.Second)
	switch {
	case negative != "":
		return cfg, fmt.Errorf("load: %s is negative, or no number", negative)
	case cfg.Size < MinSize:
		return cfg, fmt.Errorf("load: content of %d bytes has no room for what is checked: %d at least", cfg.Size, MinSize)
	case cfg.Rooms > maxRooms || cfg.Publishers > maxPublishers:
		return cfg, fmt.Errorf("load: %d rooms with %d publishers: at most %d with %d", cfg.Rooms, cfg.Publishers, maxRooms, maxPublishers)
	case cfg.Clients < cfg.Rooms*cfg.Publishers:
		return cfg, fmt.Errorf("load: %d rooms with %d publishers each need %d clients, not %d", cfg.Rooms, cfg.Publishers, cfg.Rooms*cfg.Publishers, cfg.Clients)
	}
	return cfg, nil
}

// A run is one call of Run.
type run struct {
	cfg   Config
	nodes []node    // of which there is one at least
	id    uint32    // in room names and checksums, so that runs cannot mix
	epoch time.Time // what due times count from

	shards  [8]shard // clients count in one of these, for less contention
	late    histogram
	clients []*client // by index; nil until connected
	rooms   []room

	phase     atomic.Value // string
	chosen    atomic.Bool  // members and publishers of rooms are as they will be
	closing   atomic.Bool  // from here on an end of a connection is our doing
	connected atomic.Int64
	unsent    atomic.Int64 // messages that were due and that a publisher could not send in time
	stuck     atomic.Bool  // a closed loop waited in vain

	readers sync.WaitGroup // end when their connections do

	mu      sync.Mutex
	reasons reasons // guarded by mu
}

// A node is a server that clients connect to.
type node struct {
	url    *url.URL
	target net.Addr // as its first client found it; nil until then
}

// A room is what the load knows of one.
type room struct {
	name       string
	members    []*client    // when all were connected
	publishers []*publisher // of the first of them
}

// A shard holds counters of some of the clients.
type shard struct {
	received   atomic.Int64 // frames of every kind
	delivered  atomic.Int64 // messages that are whole and new to their client
	duplicated atomic.Int64
	reordered  atomic.Int64
	damaged    atomic.Int64
	missing    atomic.Int64 // in gaps that are open
	events     atomic.Int64 // joined, left, typing
	latency    histogram
	last       histogram // of deliveries that were the last of their message
}

func newRun(cfg Config) (*run, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &run{cfg: cfg, id: rand.Uint32(), epoch: time.Now(), clients: make([]*client, cfg.Clients), rooms: make([]room, cfg.Rooms)}
	for _, one := range append([]string{cfg.URL}, cfg.Nodes...) {
		u, err := url.Parse(one)
		if err != nil || u.Scheme != "ws" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" {
			return nil, fmt.Errorf("load: URL %q is not of the form ws://host:port", one)
		}
		r.nodes = append(r.nodes, node{url: u})
	}
	r.phase.Store("connecting")
	for i := range r.rooms {
		r.rooms[i].name = fmt.Sprintf("bench-%08x-%d", r.id, i)
	}
	return r, nil
}

func (r *run) sum(of func(*shard) *atomic.Int64) (n int64) {
	for i := range r.shards {
		n += of(&r.shards[i]).Load()
	}
	return n
}

func (r *run) delivered() int64 { return r.sum(func(s *shard) *atomic.Int64 { return &s.delivered }) }

func (r *run) published() (n int64) {
	for _, room := range r.rooms {
		for _, p := range room.publishers {
			n += p.sent.Load()
		}
	}
	return n
}

func (r *run) now() int64 { return int64(time.Since(r.epoch)) }

// Run does what cfg says. The error is that of a configuration that makes no
// sense, or of the very first connection: there is no such server, or it refuses (a
// *client.Refusal). Everything later is in the report.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	r, err := newRun(cfg)
	if err != nil {
		return nil, err
	}
	first, err := r.connect(ctx, 0)
	if err != nil {
		return nil, err
	}
	r.nodes[0].target = first.conn.RemoteAddr()
	if first.maxContent > 0 && r.cfg.Size > first.maxContent {
		_ = first.conn.Close()
		return nil, &TooLong{Size: r.cfg.Size, Max: first.maxContent}
	}
	defer r.finish()
	r.start(first)
	defer r.watch()()

	rep := &Report{run: r}
	rep.begin()
	r.connectAll(ctx)
	rep.connected()
	r.choose()
	if ctx.Err() == nil {
		r.phase.Store("settling")
		r.settle(ctx)
		rep.settled()
		r.phase.Store("publishing")
		r.publish(ctx)
		rep.published()
		r.phase.Store("draining")
		r.drain()
	}
	rep.drained()
	r.finish()
	rep.end(ctx.Err() != nil)
	return rep, nil
}

// watch reports progress until the function that it returns is called.
func (r *run) watch() (stop func()) {
	if r.cfg.Progress == nil {
		return func() {}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p := Progress{
					Phase: r.phase.Load().(string), Elapsed: time.Since(r.epoch), Connected: int(r.connected.Load()),
					Delivered: r.delivered(), Lost: r.sum(func(s *shard) *atomic.Int64 { return &s.missing }),
				}
				if r.chosen.Load() {
					p.Published = r.published()
				}
				r.cfg.Progress(p)
			case <-done:
				return
			}
		}
	})
	return func() { close(done); wg.Wait() }
}

// settle waits until nothing has come for a while: with n members joining a room,
// n*n/2 events tell them of each other.
func (r *run) settle(ctx context.Context) {
	const quiet = 250 * time.Millisecond
	received := func(s *shard) *atomic.Int64 { return &s.received }
	r.quiet(ctx, quiet, r.cfg.Settle, func() (int64, bool) { return r.sum(received), false })
}

// drain waits until everything that was published has come, or no more does.
func (r *run) drain() {
	var expected int64
	for _, room := range r.rooms {
		for _, p := range room.publishers {
			expected += p.sent.Load() * int64(len(room.members))
		}
	}
	// The end was asked for if ctx is over; what is under way is waited for all the same.
	r.quiet(context.Background(), r.cfg.Patience, r.cfg.Drain, func() (int64, bool) {
		n := r.delivered()
		return n, n >= expected
	})
	// What comes twice comes after what it doubles.
	r.quiet(context.Background(), 100*time.Millisecond, time.Second, func() (int64, bool) {
		return r.sum(func(s *shard) *atomic.Int64 { return &s.received }), false
	})
}

// quiet waits until look says that all is done, or its count has stood still for
// so long, or limit is over.
func (r *run) quiet(ctx context.Context, still, limit time.Duration, look func() (count int64, done bool)) {
	begin := time.Now()
	last, since := int64(-1), begin
	for ctx.Err() == nil {
		n, done := look()
		now := time.Now()
		if n != last {
			last, since = n, now
		}
		if done || now.Sub(since) >= still || now.Sub(begin) >= limit {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// finish closes all connections and waits for their readers. It may be called again.
func (r *run) finish() {
	r.closing.Store(true)
	for _, c := range r.clients {
		if c != nil {
			c.close()
		}
	}
	r.readers.Wait()
}
