// Package postgres keeps the log of a cluster in PostgreSQL 13 or later.
//
// # Tables
//
// All lie in the schema "edgechat_NAME", of which NAME tells clusters apart (schema.go). One row of meta is locked by whoever
// appends: so positions are committed in their order, and no reader passes over one. An append changes no row, it only adds to the log: what it counts on
// from is what the log has. A row that was changed each time would leave a dead one behind, which nobody may remove while anybody holds a snapshot, and which
// each append would pass over. Heads of rooms are in room once their entries are dropped. The table run is UNLOGGED: it is empty after a crash, a promotion or
// a base backup, and then the log has to be verified.
//
// Who waits for entries is woken by a NOTIFY without a payload, and looks once a second besides; while there were some within the last 50 ms it looks every 4 ms.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"edgechat/cluster"
)

// A Config says which PostgreSQL, and what of it.
type Config struct {
	// Address is as libpq takes it: postgres://USER@HOST/DATABASE, or host=/run/postgresql dbname=chat. Required.
	Address string
	// Password is what Address does not say; "" if it does, or none is asked for.
	Password string
	// Name tells this cluster from others in the same database: up to 40 letters, digits, - . and _. Required.
	Name string
	// Keep is how many entries the log holds at least; older ones are dropped. Default 100,000.
	Keep int
}

const (
	dialTime = 3 * time.Second
	callTime = 3 * time.Second
	tailWait = time.Second
	pageSize = 1000
	// notifyEvery is about the least time between two NOTIFYs of this node: their commit takes a lock of the whole server.
	notifyEvery = 20 * time.Millisecond
	// lookAgain is how often a node looks for entries by itself while there were some within busyFor: most of them come without a NOTIFY.
	lookAgain = 4 * time.Millisecond
	busyFor   = 50 * time.Millisecond
	trimEvery = time.Minute
)

// An Engine is a cluster.Engine.
type Engine struct {
	cfg     Config
	conn    *pgconn.Config
	schema  string // quoted
	channel string // of what is appended; that of broadcasts is the same with a P behind
	calls   *lane
	writes  *lane
	tail    *lane
	bell    *lane

	// Of the call of tail that is under way.
	size  int       // entries that are asked for at once
	found time.Time // when there were some

	appended chan struct{} // something was, of size 1
	ctx      context.Context
	stop     context.CancelFunc
	ringing  sync.WaitGroup // one goroutine, ring; Close ends it

	mu      sync.Mutex
	trimmed time.Time
	run     string // that was seen last
}

// Open returns the engine. It does not connect before it is asked something.
func Open(cfg Config) (*Engine, error) {
	if err := cluster.CheckName(cfg.Name, cluster.MostName); err != nil {
		return nil, fmt.Errorf("postgres: Name %w", err)
	}
	if cfg.Keep == 0 {
		cfg.Keep = cluster.Keep
	}
	if cfg.Keep < 0 {
		return nil, fmt.Errorf("postgres: Keep is %d, must not be negative", cfg.Keep)
	}
	conn, err := pgconn.ParseConfig(cfg.Address)
	if err != nil {
		return nil, errors.New("postgres: the address is not one as libpq takes it: postgres://USER@HOST[:PORT]/DATABASE")
	}
	if cfg.Password != "" {
		conn.Password = cfg.Password
	}
	conn.ConnectTimeout = dialTime
	conn.DialFunc = dialer((&net.Dialer{Timeout: dialTime}).DialContext)
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = "edgechat"
	}
	e := &Engine{size: pageSize, cfg: cfg, conn: conn, schema: `"edgechat_` + cfg.Name + `"`, channel: "edgechat_" + cfg.Name, appended: make(chan struct{}, 1)}
	e.ctx, e.stop = context.WithCancel(context.Background())
	for _, l := range []**lane{&e.calls, &e.writes, &e.tail, &e.bell} {
		*l = &lane{engine: e, busy: make(chan struct{}, 1)}
	}
	e.ringing.Go(e.ring)
	return e, nil
}

// Describe is that of cluster.Engine.
func (e *Engine) Describe() string {
	return fmt.Sprintf("postgres %s:%d/%s %s", e.conn.Host, e.conn.Port, e.conn.Database, e.cfg.Name)
}

// Close ends all connections; a call that is under way fails.
func (e *Engine) Close() error {
	e.stop()
	for _, l := range []*lane{e.calls, e.writes, e.tail, e.bell} {
		l.close()
	}
	e.ringing.Wait()
	return nil
}

// A lane is one connection, which one call at a time uses. It is made anew after any error of the connection: nothing is sent twice.
type lane struct {
	engine *Engine
	busy   chan struct{} // of size 1: a call has it

	// What the call under way knows of its connection.
	listens  bool
	prepared bool

	mu     sync.Mutex
	conn   *pgconn.PgConn
	closed bool
	stale  bool               // the connection is given up before the next call
	cancel context.CancelFunc // of the call under way
}

// prepare has the connection know the one statement that it executes again and again: to read and plan it costs the server about as much as to
// execute it for some messages.
func (l *lane) prepare(ctx context.Context, c *pgconn.PgConn, name, sql string, types ...uint32) error {
	if l.prepared {
		return nil
	}
	if _, err := c.Prepare(ctx, name, l.engine.in(sql), types); err != nil {
		return err
	}
	l.prepared = true
	return nil
}

// do runs f on the connection, for callTime or less.
func (l *lane) do(ctx context.Context, f func(ctx context.Context, c *pgconn.PgConn) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	select {
	case l.busy <- struct{}{}:
		defer func() { <-l.busy }()
	case <-ctx.Done():
		return fmt.Errorf("postgres: a call before this one is under way: %w", ctx.Err())
	}
	l.mu.Lock()
	c, closed, stale := l.conn, l.closed, l.stale
	l.cancel, l.stale = cancel, false
	l.mu.Unlock()
	if closed {
		return errors.New("postgres: the engine is closed")
	}
	if stale {
		l.drop()
		c = nil
	}
	if c == nil || c.IsClosed() {
		var err error
		if c, err = l.engine.dial(ctx); err != nil {
			return err
		}
		l.mu.Lock()
		l.conn = c
		l.mu.Unlock()
		l.listens, l.prepared = false, false
	}
	err := f(ctx, c)
	if err != nil && !isReply(err) {
		l.drop()
	}
	return understood(err)
}

// drop is called by whose call it is.
func (l *lane) drop() {
	l.mu.Lock()
	c := l.conn
	l.conn = nil
	l.mu.Unlock()
	hangUp(c)
}

// retire has the connection given up before the next call: a call that is under way has it to itself.
func (l *lane) retire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stale = true
}

func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	if l.cancel != nil {
		l.cancel()
	}
	l.mu.Unlock()
	l.busy <- struct{}{}
	l.drop()
	<-l.busy
}

// hangUp closes a connection without waiting for the server for long: pgconn alone waits up to 15 s for one that does not answer.
func hangUp(c *pgconn.PgConn) {
	if c == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_ = c.Close(ctx)
	_ = c.Conn().Close() // if a call was given up, pgconn closes it behind a request to cancel that
	<-c.CleanupDone()
}

// cancelTime is how long a request to cancel a call that was given up may take.
const cancelTime = 500 * time.Millisecond

// ours marks the context of a connection that is not for such a request.
type ours struct{}

// dialer connects as pgconn does it, and bounds requests to cancel.
func dialer(connect pgconn.DialFunc) pgconn.DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if ctx.Value(ours{}) != nil {
			return connect(ctx, network, address)
		}
		ctx, cancel := context.WithTimeout(ctx, cancelTime)
		defer cancel()
		c, err := connect(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return c, c.SetDeadline(time.Now().Add(cancelTime))
	}
}

func (e *Engine) dial(ctx context.Context) (*pgconn.PgConn, error) { return connect(ctx, e.conn) }

func connect(ctx context.Context, cfg *pgconn.Config) (*pgconn.PgConn, error) {
	c, err := pgconn.ConnectConfig(context.WithValue(ctx, ours{}, true), cfg)
	if err != nil {
		return nil, fmt.Errorf("postgres: connect: %w", err)
	}
	return c, nil
}

// in puts the name of the schema into a statement, for S.
func (e *Engine) in(sql string) string { return strings.ReplaceAll(sql, "S.", e.schema+".") }
