package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"edgechat/store"
)

// Alive returns nil once all that chat goes through has answered, and otherwise,
// when ctx ends, what has not. It is for a watchdog, which kills and
// restarts what is not alive, so it answers one question: would a restart help?
//
// It would where a lock is never given back, or something that may not block does:
// every event loop must make a turn, the sweeper must pass every connection, and
// the locks of the hub, the store and each live room must be free for a moment.
//
// It would not where the card is slow, full or gone. The committer may be in a system call for
// as long as that takes: chat goes on from memory, /readyz says so, and a restart
// would lose what is not written and meet the same card. Only a committer
// that has something to write, is in no commit and does nothing all the same is stuck.
// Nor would it help against clients: a request that hangs, a full table of
// descriptors or a refused connection is no sign here.
func (s *Server) Alive(ctx context.Context) error {
	if err := s.router.Alive(ctx); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	if err := s.probe.locks(ctx, s); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	return nil
}

// committerPatience is how long the committer may do nothing, beyond Config.SyncInterval,
// though messages are pending. It is longer than the store's StallAfter, from which
// on Ready tells of a commit that takes long.
const committerPatience = time.Minute

var errCommitter = errors.New("the store's committer has messages to write and does nothing")

// A probe is the part of Alive that may never come back.
type probe struct {
	mu        sync.Mutex
	answer    chan struct{} // closed by the probe under way; nil if there is none
	err       error         // of the last that came back
	asks      string        // whom it asks
	committer progress
}

// locks asks on a goroutine of its own. If that is stuck so is whatever it asked, and nobody
// may wait for it; it is asked no second time.
func (p *probe) locks(ctx context.Context, s *Server) error {
	p.mu.Lock()
	answer := p.answer
	if answer == nil {
		answer = make(chan struct{})
		p.answer = answer
		go p.ask(s, answer)
	}
	p.mu.Unlock()
	select {
	case <-answer:
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.err
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		return fmt.Errorf("the %s does not answer: %w", p.asks, context.Cause(ctx))
	}
}

func (p *probe) ask(s *Server, answer chan struct{}) {
	p.asking("hub")
	rooms := s.hub.Rooms() // with the lock of each
	p.asking("store")
	for _, r := range rooms {
		_ = s.history().Head(r.Name)
	}
	st, ready := s.history().Stats(), s.history().Ready()

	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = nil
	if p.committer.stuck(time.Now(), st, ready, cmp.Or(s.cfg.SyncInterval, store.DefaultSyncInterval)+committerPatience) {
		p.err = errCommitter
	}
	p.answer = nil
	close(answer)
}

func (p *probe) asking(whom string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asks = whom
}

// A progress follows the committer from one look to the next.
type progress struct {
	done  uint64    // commits, the failed ones too
	since time.Time // when done last changed, or there was a reason for it not to
}

// stuck reports whether the committer has had something to do for longer than patience, and did nothing.
func (p *progress) stuck(now time.Time, st store.Stats, ready error, patience time.Duration) bool {
	done := st.Commits + st.Failures
	if p.since.IsZero() || done != p.done || st.Pending == 0 || ready != nil {
		p.done, p.since = done, now
	}
	return now.Sub(p.since) > patience
}

// Status says in a line for people how the server is: "listening on :3000, 12
// connections in 3 rooms".
func (s *Server) Status() string {
	var where []string
	for _, l := range slices.Concat(s.listeners, s.secure) {
		where = append(where, place(l.Addr()))
	}
	open, rooms := s.router.Stats().Open, s.hub.Stats().Rooms
	text := fmt.Sprintf("listening on %s, %s in %s", strings.Join(where, " and "), count(open, "connection"), count(rooms, "room"))
	if err := s.history().Ready(); err != nil {
		text += "; degraded: " + err.Error()
	}
	if err := s.stale.Load(); err != nil {
		text += "; tokens not reloaded, the old ones stay: " + (*err).Error()
	}
	return text
}

// place writes an address as people do, ":3000" for one that is all of this machine's.
func place(addr net.Addr) string {
	if tcp, ok := addr.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf(":%d", tcp.Port)
	}
	return addr.String()
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
