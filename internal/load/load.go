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
