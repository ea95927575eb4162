// Package redis keeps the log of a cluster in Redis 6.2 or later, or Valkey.
//
// # Keys
//
// All begin with "edgechat:{NAME}:", of which NAME tells clusters apart, and lie in one slot:
//
//	meta    hash: gen (the run for which the log is verified), n, name, start, seq
//	log     stream, its ids "n-seq": r (room), o (offset), m (record)
//	heads   hash: room to newest offset; and the empty name to 1, a sentinel: without it the hash was evicted, and
//	        offsets would begin again
//	epochs  hash: n to "start name"
//	claims  hash: node to "run position newest until", some seconds of life
//	lead    the node that may restore, for some seconds
//	k:HASH  "offset n seq" of a message with that key, for ten minutes
//
// A script appends, so that a batch is in the log as a whole or not at all. Its text has the run of the
// server: one that was restarted does not know it (NOSCRIPT), whatever connection the call came by.
package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"

	"edgechat/cluster"
)

// A Config says which Redis, and what of it.
type Config struct {
	// Address is host:port, or a path of a unix socket.
	Address string
	// TLS, if not nil, is how the connection is secured.
	TLS *tls.Config
	// Username and Password are what the server asks for; "" if it does not.
	Username, Password string
	Database           int
	// Name tells this cluster from others of the same server. Required.
	Name string
	// Keep is how many entries the log holds at least; older ones are dropped. Default 100,000.
	Keep int
}

const (
	dialTime = 3 * time.Second
	callTime = 3 * time.Second
	tailWait = time.Second
	mostTime = 4500 * time.Millisecond // of a call that connects, loads its script, and waits
	pageSize = 1000
	keyTime  = 10 * time.Minute // that a key is known at least
)

// An Engine is a cluster.Engine.
type Engine struct {
	cfg    Config
	prefix string
	calls  *lane // State and what is rare
	writes *lane
	tail   *lane

	page int // entries that are asked for at once; whose call of tail it is has it

	mu  sync.Mutex
	run string // that was seen last
}

// Open returns the engine. It does not connect before it is asked something.
func Open(cfg Config) (*Engine, error) {
	if cfg.Address == "" || cfg.Name == "" {
		return nil, errors.New("redis: Config needs an Address and a Name")
	}
	if err := cluster.CheckName(cfg.Name, cluster.MostName); err != nil {
		return nil, fmt.Errorf("redis: Name %w", err)
	}
	if cfg.Keep == 0 {
		cfg.Keep = cluster.Keep
	}
	if cfg.Keep < 0 {
		return nil, fmt.Errorf("redis: Keep is %d, must not be negative", cfg.Keep)
	}
	e := &Engine{page: pageSize, cfg: cfg, prefix: "edgechat:{" + cfg.Name + "}:"}
	for _, l := range []**lane{&e.calls, &e.writes, &e.tail} {
		*l = &lane{engine: e, busy: make(chan struct{}, 1)}
	}
	return e, nil
}

// Describe is that of cluster.Engine.
func (e *Engine) Describe() string { return "redis " + e.cfg.Address + " " + e.cfg.Name }

// Close ends all connections; a call that is under way fails.
func (e *Engine) Close() error {
	for _, l := range []*lane{e.calls, e.writes, e.tail} {
		l.close()
	}
	return nil
}

func (e *Engine) key(name string) string { return e.prefix + name }

// isReply says that the server has answered with an error: the connection is good.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) || errors.Is(err, cluster.ErrUnverified) || errors.Is(err, cluster.ErrRefused)
}

// understood is err as package cluster has it.
func understood(err error) error {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return err
	}
	text := reply.Error()
	word, _, _ := strings.Cut(text, " ")
	switch {
	case word == "NOSCRIPT", strings.Contains(text, "UNVERIFIED"):
		return fmt.Errorf("%w: %w", cluster.ErrUnverified, err)
	case word == "OOM", word == "READONLY", word == "MISCONF", word == "NOPERM", word == "NOAUTH", word == "WRONGPASS", word == "LOADING", word == "MASTERDOWN",
		word == "NOREPLICAS", strings.Contains(text, "-OOM "), strings.Contains(text, "-READONLY "), strings.Contains(text, "-MISCONF "):
		return fmt.Errorf("%w: %w", cluster.ErrRefused, err)
	}
	return err
}

func parsePosition(id string) (uint64, error) {
	a, b, ok := strings.Cut(id, "-")
	n, err1 := strconv.ParseUint(a, 10, 24)
	seq, err2 := strconv.ParseUint(b, 10, 40)
	if !ok || err1 != nil || err2 != nil {
		return 0, fmt.Errorf("redis: the log has an entry %q, which is not edgechat's", id)
	}
	return cluster.PositionOf(n, seq), nil
}

func formatPosition(p uint64) string {
	return strconv.FormatUint(cluster.EpochOf(p), 10) + "-" + strconv.FormatUint(cluster.CountOf(p), 10)
}
