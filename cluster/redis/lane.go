package redis

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"

	"github.com/gomodule/redigo/redis"
)

// A lane is one connection, which one call at a time uses. It is made anew after any error: nothing is sent twice.
type lane struct {
	engine *Engine
	busy   chan struct{} // of size 1: a call has it

	// What the call under way knows of its connection: the script that was loaded over it, and for which run.
	run, script string

	mu     sync.Mutex
	conn   *wire
	closed bool
}

// do runs f on the connection.
func (l *lane) do(ctx context.Context, f func(c redis.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	defer cancel()
	select {
	case l.busy <- struct{}{}:
		defer func() { <-l.busy }()
	case <-ctx.Done():
		return fmt.Errorf("redis: a call before this one is under way: %w", ctx.Err())
	}
	c, err := l.connect(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, c.hangUp)
	defer stop()
	err = f(c.Conn)
	if err != nil && ctx.Err() != nil {
		err = errors.Join(context.Cause(ctx), err)
	}
	if c.Err() != nil || err != nil && !isReply(err) || ctx.Err() != nil {
		l.drop(c)
	}
	return err
}

func (l *lane) connect(ctx context.Context) (*wire, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.New("redis: the engine is closed")
	}
	if l.conn != nil && l.conn.Err() == nil {
		return l.conn, nil
	}
	c, err := l.engine.dial(ctx)
	if err != nil {
		return nil, err
	}
	l.conn, l.run, l.script = c, "", ""
	return c, nil
}

// drop closes the connection of the call that is over.
func (l *lane) drop(c *wire) {
	_ = c.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == c {
		l.conn = nil
	}
}

// retire has the next call make a connection. One that is under way fails, and drops its own.
func (l *lane) retire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.conn.hangUp()
		l.conn = nil
	}
}

func (l *lane) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.retire()
}

// A wire is a connection that others than its call may end: redigo allows no Close beside a Do ("Concurrency" of its documentation), net does.
type wire struct {
	redis.Conn
	socket net.Conn
}

func (w *wire) hangUp() { _ = w.socket.Close() }

// dial connects.
func (e *Engine) dial(ctx context.Context) (*wire, error) {
	network := "tcp"
	if strings.HasPrefix(e.cfg.Address, "/") {
		network = "unix"
	}
	w := new(wire)
	options := []redis.DialOption{
		redis.DialContextFunc(func(ctx context.Context, network, address string) (_ net.Conn, err error) {
			w.socket, err = new(net.Dialer).DialContext(ctx, network, address)
			return w.socket, err
		}),
		redis.DialReadTimeout(callTime), redis.DialWriteTimeout(callTime),
		redis.DialDatabase(e.cfg.Database), redis.DialClientName("edgechat"),
	}
	if e.cfg.Username != "" {
		options = append(options, redis.DialUsername(e.cfg.Username))
	}
	if e.cfg.Password != "" {
		options = append(options, redis.DialPassword(e.cfg.Password))
	}
	if e.cfg.TLS != nil {
		options = append(options, redis.DialUseTLS(true), redis.DialTLSConfig(e.cfg.TLS))
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	var err error
	if w.Conn, err = redis.DialContext(ctx, network, e.cfg.Address, options...); err != nil {
		return nil, fmt.Errorf("redis: connect to %s: %w", e.cfg.Address, err)
	}
	return w, nil
}
