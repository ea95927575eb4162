// Package postgres keeps the log of a cluster in PostgreSQL 13 or later.
//
// # Tables
//
// All lie in the schema "edgechat_NAME", of which NAME tells clusters apart (schema.go). One row of meta is locked by whoever
// appends: so positions are committed in their order, and no reader passes over one. The table run is UNLOGGED: it is empty after a crash, a promotion or
// a base backup, and then the log has to be verified.
//
// Who waits for entries is woken by a NOTIFY without a payload, and looks once a second besides.
package postgres

import (
	"context"
	"errors"
	"fmt"
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
	// notifyEvery is the least time between two NOTIFYs of this node: their commit takes a lock of the whole server.
	notifyEvery = 10 * time.Millisecond
	trimEvery   = time.Minute
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

	mu       sync.Mutex
	notified time.Time // when others were last told
	trimmed  time.Time
	run      string // that was seen last
}

// Open returns the engine. It does not connect before it is asked something.
func Open(cfg Config) (*Engine, error) {
	if cfg.Name == "" || len(cfg.Name) > 40 || strings.Trim(cfg.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
		return nil, fmt.Errorf("postgres: Name %q: from 1 to 40 letters, digits, - . and _", cfg.Name)
	}
	if cfg.Keep == 0 {
		cfg.Keep = 100_000
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
	if conn.RuntimeParams["application_name"] == "" {
		conn.RuntimeParams["application_name"] = "edgechat"
	}
	e := &Engine{cfg: cfg, conn: conn, schema: `"edgechat_` + cfg.Name + `"`, channel: "edgechat_" + cfg.Name}
	for _, l := range []**lane{&e.calls, &e.writes, &e.tail, &e.bell} {
		*l = &lane{engine: e}
	}
	return e, nil
}

// Describe is that of cluster.Engine.
func (e *Engine) Describe() string {
	return fmt.Sprintf("postgres %s:%d/%s %s", e.conn.Host, e.conn.Port, e.conn.Database, e.cfg.Name)
}

// Close ends all connections; a call that is under way fails.
func (e *Engine) Close() error {
	for _, l := range []*lane{e.calls, e.writes, e.tail, e.bell} {
		l.close()
	}
	return nil
}

// A lane is one connection, which one call at a time uses. It is made anew after any error of the connection: nothing is sent twice.
type lane struct {
	engine *Engine
	busy   sync.Mutex

	mu      sync.Mutex
	conn    *pgconn.PgConn
	listens bool
	closed  bool
	cancel  context.CancelFunc // of the call under way
}

// do runs f on the connection, for callTime or less.
func (l *lane) do(ctx context.Context, f func(ctx context.Context, c *pgconn.PgConn) error) error {
	l.busy.Lock()
	defer l.busy.Unlock()
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	l.mu.Lock()
	c, closed := l.conn, l.closed
	l.cancel = cancel
	l.mu.Unlock()
	if closed {
		return errors.New("postgres: the engine is closed")
	}
	if c == nil || c.IsClosed() {
		var err error
		if c, err = l.engine.dial(ctx); err != nil {
			return err
		}
		l.mu.Lock()
		l.conn, l.listens = c, false
		l.mu.Unlock()
	}
	err := f(ctx, c)
	if err != nil && !isReply(err) {
		l.drop()
	}
	return understood(err)
}

func (l *lane) drop() {
	l.mu.Lock()
	c := l.conn
	l.conn = nil
	l.mu.Unlock()
	hangUp(c)
}

func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	if l.cancel != nil {
		l.cancel()
	}
	l.mu.Unlock()
	l.busy.Lock()
	defer l.busy.Unlock()
	l.drop()
}

// hangUp closes a connection without waiting for the server for long.
func hangUp(c *pgconn.PgConn) {
	if c == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_ = c.Close(ctx)
	<-c.CleanupDone()
}

func (e *Engine) dial(ctx context.Context) (*pgconn.PgConn, error) {
	c, err := pgconn.ConnectConfig(ctx, e.conn)
	if err != nil {
		return nil, fmt.Errorf("postgres: connect: %w", err)
	}
	return c, nil
}

// isReply says that the server has answered with an error: the connection is good.
func isReply(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Severity == "ERROR" && !strings.HasPrefix(pg.Code, "57P")
}

// What functions of the schema raise.
const (
	codeUnverified = "EC001"
	// Of PostgreSQL's own: what is certain not to have been executed.
	codeReadOnly   = "25006"
	codeDiskFull   = "53100"
	codeNoRight    = "42501"
	codeNoTable    = "42P01"
	codeNoSchema   = "3F000"
	codeNoFunction = "42883"
)

func understood(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch pg.Code {
	case codeUnverified, codeNoTable, codeNoSchema, codeNoFunction:
		return fmt.Errorf("%w: %w", cluster.ErrUnverified, err)
	case codeReadOnly, codeDiskFull, codeNoRight:
		return fmt.Errorf("%w: %w", cluster.ErrRefused, err)
	}
	return err
}

// in puts the name of the schema into a statement, for S.
func (e *Engine) in(sql string) string { return strings.ReplaceAll(sql, "S.", e.schema+".") }
