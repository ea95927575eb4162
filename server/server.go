// Package server puts the parts of edgechat together in one process: listeners,
// HTTP, health, start and stop. The parts do not know each other; they meet
// here.
//
// One rule for callers: [New] opens everything, so that what is wrong shows
// before anyone connects, and after it [Server.Serve] must be called, once; it
// closes everything again.
//
// Time: a board without a clock battery starts in 1970 or at its last shutdown, and jumps
// later. So order, replay, trimming, epochs and resumption go by offsets, every interval
// and deadline by the monotonic clock or the sweeper's ticks, and pages
// are cached by ETag and asked for each time. The wall clock says when a token expires, so that one counts too long
// where the clock is late. Else it is only shown: timestamp of
// a message (stored as it was), since of a member, created of a token, the name of a file
// that was put aside. A member's typing, limited to one a second, passes if the
// clock went back.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"edgechat/admin"
	"edgechat/auth"
	"edgechat/captive"
	"edgechat/cert"
	"edgechat/chat"
	"edgechat/cluster"
	"edgechat/hub"
	"edgechat/moderation"
	"edgechat/refusal"
	"edgechat/store"
	"edgechat/ws"
)

// A Server is one edgechat process. Alive, Reload, Stats and Status may be
// called from any goroutine.
type Server struct {
	cfg        Config
	log        *slog.Logger
	tokens     *auth.Tokens          // nil without a token file
	keys       *auth.Keys            // nil without a key file
	reloads    sync.Mutex            // held while they are read again
	stale      atomic.Pointer[error] // why they could not be, the last time; nil if they could
	listeners  []net.Listener
	secure     []net.Listener  // where TLS is spoken
	pair       *cert.Pair      // nil without those
	entries    []net.Listener  // the same, as they are accepted from
	store      *store.Store    // nil in a cluster
	follower   *store.Follower // which has this
	cluster    *cluster.Log    // and this; nil for a process that is alone
	advertised advertised      // where clients reach the other nodes of a cluster
	hub        *hub.Hub
	router     *ws.Router
	rules      *moderation.Rules
	oldRooms   []string // see findOldRooms
	chat       *chat.Controller
	portal     *captive.Portal // nil without Captive
	http       *http.Server
	accepting  sync.WaitGroup // the goroutines of the listeners
	requests   requests
	draining   atomic.Bool
	probe      probe
	sides      []side         // what is served besides chat
	siding     sync.WaitGroup // their goroutines, and the meter's
	began      time.Time
	meterMu    sync.Mutex
	meter      meter
	lately     atomic.Pointer[[]admin.Problem] // what trends said last; nil before the first time
	told       told                            // the meter's
	backups    backups
}

// New opens what cfg names: token file, key file, listeners, store, and what stands on
// them. Nothing is served before all of it is there; who connects meanwhile
// waits in the kernel's queue. An error leaves nothing open, and names the
// address or path.
func New(cfg Config) (_ *Server, err error) {
	s := &Server{listeners: cfg.Listeners, secure: cfg.TLSListeners, began: time.Now(), told: told{}}
	defer func() {
		if err != nil {
			closeAll(s.listeners)
			closeAll(s.secure)
			s.closeSides()
		}
	}()
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	s.cfg, s.log = cfg, cfg.Logger
	s.advertised.own = cfg.Advertise
	if cfg.Tokens != "" {
		if s.tokens, err = auth.Load(cfg.Tokens, s.log); err != nil {
			return nil, err
		}
	}
	if cfg.JWTKey != "" {
		if s.keys, err = auth.LoadKeys(auth.KeysConfig{Path: cfg.JWTKey, Audience: cfg.JWTAudience, Logger: s.log}); err != nil {
			return nil, err
		}
	}
	if cfg.TLSCert != "" {
		if s.pair, err = cert.Open(cert.Config{Cert: cfg.TLSCert, Key: cfg.TLSKey, Logger: s.log}); err != nil {
			return nil, err
		}
	}
	// The listeners before the store: a second server on the same port must not
	// get as far as the file of the first.
	if len(cfg.Listeners) == 0 {
		if s.listeners, err = listenAll(cfg.Listen, cfg.SocketMode); err != nil {
			return nil, err
		}
	}
	if len(cfg.TLSListeners) == 0 {
		if s.secure, err = listenAll(cfg.TLSListen, cfg.SocketMode); err != nil {
			return nil, err
		}
	}
	if err := s.openSides(); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: cfg.HeaderTimeout,
		// A WebSocket's is lifted when its connection is handed over. For the answer
		// there is none: the router's listeners see to it that the client takes it.
		ReadTimeout:    cfg.MessageTimeout,
		IdleTimeout:    cfg.IdleTimeout,
		MaxHeaderBytes: cfg.MaxHeaderBytes,
		ConnState:      s.track,
		// What it has to say is about single clients: broken TLS, panics.
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Serve serves until ctx ends and then stops in order: see stop. It returns nil
// after a stop in which nothing was lost, also if slow clients were cut; an error
// of the store says what could not be written. If a listener fails it stops as
// well and returns that error.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for _, l := range s.listeners {
		l = s.router.Listen(l)
		s.entries = append(s.entries, l)
		s.accepting.Go(func() { // until stop closes l, when cancel does nothing any more
			cancel(fmt.Errorf("server: accept on %s: %w", l.Addr(), s.http.Serve(l)))
		})
	}
	s.serveTLS(cancel)
	s.serveSides(ctx)
	s.expireTokens(ctx)
	s.logAddrs()
	access := []any{"who", s.access(), "tokens", s.tokenCount()}
	if s.keys != nil {
		access = append(access, "keys", s.keys.Len())
	}
	s.log.Info("access", access...)
	<-ctx.Done()
	cause := context.Cause(ctx)
	err := s.stop()
	if !errors.Is(cause, ctx.Err()) {
		err = errors.Join(cause, err)
	}
	return err
}

// logAddrs says where people can join.
func (s *Server) logAddrs() {
	say := func(l net.Listener, scheme string) {
		list := urls(scheme, l.Addr(), localHosts)
		if len(list) == 0 {
			s.log.Info("listening", "addr", l.Addr().String())
		}
		for _, u := range list {
			s.log.Info("listening", "addr", l.Addr().String(), "url", u)
		}
	}
	for _, l := range s.listeners {
		say(l, "http")
	}
	for _, l := range s.secure {
		say(l, "https")
	}
}

// stopReason is what the close frame says at a stop, in at most 123 bytes. Clients that all
// come back at once after a restart are the heaviest load a small board ever sees.
const stopReason = "server is restarting: reconnect after a random time of up to 30 s"

// stop ends the server in the order in which its parts depend on each other,
// each step with a deadline of its own, so that one that is stuck does not take
// the time of the next:
//
//  0. sockets that somebody else keeps open are given back, with all that waits
//     in their queues for the next process, and what was accepted is served;
//  1. /readyz says "draining", new WebSockets get 503, those there are 1012 once
//     what waits for them is written; who does not take it in time is cut;
//  2. listeners close, requests that run end;
//  3. metrics and the admin socket, which may be making a backup, end;
//  4. the hub has nothing left to do, now that its members are gone; the store
//     commits what it accepted and marks its file as clean, and so do the rules of moderators. That takes as long as
//     the disk takes: cut short, it would not have been worth stopping.
func (s *Server) stop() error {
	start := time.Now()
	s.draining.Store(true)
	s.http.SetKeepAlivesEnabled(false) // no answer from here on offers to go on
	s.log.Info("stopping", "open", s.router.Stats().Open)

	if len(s.cfg.Listeners)+len(s.cfg.TLSListeners) > 0 {
		closeAll(s.entries)
		s.accepting.Wait()
		// Who was accepted last still gets in, to be told to come back as all others.
		ctx, cancel := context.WithTimeout(context.Background(), freshDrain)
		_ = s.requests.drain(ctx) // what takes longer has its time below
		cancel()
	}
	s.shutRouter()

	closeAll(s.entries)
	s.accepting.Wait() // whoever was accepted is known to requests now
	ctx, cancel := context.WithTimeout(context.Background(), min(s.cfg.DrainTimeout, requestDrain))
	if err := s.requests.drain(ctx); err != nil {
		s.log.Warn("requests under way were cut", "err", err)
	}
	cancel()
	_ = s.http.Close() // its errors are those of sockets that are gone

	s.closeSides()
	s.siding.Wait()
	s.hub.Close()
	err := errors.Join(s.rules.Close(), s.closeLog()) // which says itself what could not be written
	s.log.Info("stopped", "took", time.Since(start).Round(time.Millisecond))
	return err
}

// shutRouter ends the WebSockets and with them the router's goroutines.
func (s *Server) shutRouter() {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.DrainTimeout)
	defer cancel()
	if err := s.router.Shutdown(ctx, refusal.CloseServiceRestart, stopReason); err != nil {
		s.log.Warn("slow connections were cut", "err", err)
	}
}
