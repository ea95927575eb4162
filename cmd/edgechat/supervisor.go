package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"edgechat/systemd"
)

// A start that salvages a large file from a slow card, and a stop that waits for
// such a card, take longer than a unit grants. They ask for more, step by step,
// and not for ever: then the unit's own limits count again.
const (
	extendEvery   = 5 * time.Second
	extendBy      = 15 * time.Second
	startPatience = 15 * time.Minute
	stopPatience  = 2 * time.Minute // besides the drain
)

// statusEvery is the least time between two looks at what "systemctl status" shows.
const statusEvery = 10 * time.Second

// leastWatchdog is the shortest watchdog that is no danger: the answer takes up
// to two sweeps of package ws, two seconds, and has two fifths of the watchdog for it.
const leastWatchdog = 10 * time.Second

// A supervisor tells the service manager how the server is, if there is a
// manager.
type supervisor struct {
	notifier *systemd.Notifier // nil if nobody wants to be told
	watchdog time.Duration     // within which Alive is to be said; 0 for never
	log      *slog.Logger

	mu       sync.Mutex
	stopping bool   // nothing else is said any more
	failed   bool   // the manager could not be reached, and the log says so
	status   string // what the manager knows
}

// newSupervisor takes what the service manager says in the environment. What is
// wrong there is no reason not to serve.
func newSupervisor(log *slog.Logger) *supervisor {
	s := &supervisor{log: log}
	var err error
	if s.notifier, err = systemd.NewNotifier(); err != nil {
		log.Warn("the service manager is not told anything", "err", err)
	}
	if s.watchdog, err = systemd.Watchdog(); err != nil {
		log.Warn("the watchdog is not served", "err", err)
	}
	if 0 < s.watchdog && s.watchdog < leastWatchdog {
		log.Warn("the watchdog is too short: set WatchdogSec=30s in the unit", "watchdog", s.watchdog, "least", leastWatchdog)
	}
	return s
}

// say runs one of the notifier's methods, unless the stop has begun.
func (s *supervisor) say(send func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopping {
		s.note(send())
	}
}

// note logs the first failure of several.
func (s *supervisor) note(err error) {
	if err != nil && !s.failed {
		s.log.Warn("the service manager was not told", "err", err)
	}
	s.failed = err != nil
}

// ready says that the start, or a reload, is over.
func (s *supervisor) ready(status string) {
	s.say(func() error { s.status = status; return s.notifier.Ready(status) })
}

func (s *supervisor) reloading() { s.say(s.notifier.Reloading) }

// stop says that the server stops; nothing but extend is heard from then on.
func (s *supervisor) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.stopping {
		s.stopping = true
		s.note(s.notifier.Stopping())
	}
}

// extend asks for more time until ctx ends. During it the watchdog is satisfied:
// neither a start nor a stop has anything that could be asked.
func (s *supervisor) extend(ctx context.Context) {
	if s.notifier == nil {
		return
	}
	every := extendEvery
	if s.watchdog > 0 {
		every = min(every, s.watchdog/2)
	}
	for tick(ctx, every) {
		s.mu.Lock()
		s.note(s.notifier.Extend(extendBy))
		s.mu.Unlock()
	}
}

// watch satisfies the watchdog while alive says so, and keeps the status line
// up to date, until ctx ends. A manager that hears nothing for its time kills
// with SIGABRT, upon which Go prints where every goroutine stands.
func (s *supervisor) watch(ctx context.Context, alive func(context.Context) error, status func() string) {
	if s.notifier == nil {
		return
	}
	every, told := statusEvery, time.Now()
	if s.watchdog > 0 {
		every = s.watchdog / 2
	}
	for wait := every; tick(ctx, wait); {
		if s.watchdog > 0 {
			asking, cancel := context.WithTimeout(ctx, s.watchdog*2/5)
			err := alive(asking)
			cancel()
			if ctx.Err() != nil {
				return
			}
			if err != nil {
				s.log.Error("not alive", "err", err)
				wait = s.watchdog / 20 // it may be late rather than stuck
				continue
			}
			wait = every
			s.say(s.notifier.Alive)
		}
		if now := time.Now(); now.Sub(told) >= min(every, statusEvery) {
			told = now
			s.tell(status())
		}
	}
}

// tell sends a status line that is new.
func (s *supervisor) tell(status string) {
	s.say(func() error {
		if status == s.status {
			return nil
		}
		s.status = status
		return s.notifier.Status(status)
	})
}

// tick waits for d and reports whether ctx is still there.
func tick(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
