package ws

import (
	"runtime/debug"
	"time"

	"edgechat/refusal"
	"edgechat/ws/internal/frame"
)

// The sweeper is one goroutine for all connections: a timer or a deadline for
// each would cost half a microsecond a message. It counts ticks, which are
// also the clock of the connections.
//
// ticksPerInterval is how exact it is: a timeout is late by a tick at most.
const ticksPerInterval = 8

// tickLength returns the time between two sweeps: an eighth of the shortest
// interval that is watched, a second at most.
func (rt *Router) tickLength() time.Duration {
	return max(min(rt.cfg.PingInterval, rt.cfg.WriteTimeout, rt.cfg.MessageTimeout, ticksPerInterval*time.Second)/ticksPerInterval, time.Millisecond)
}

func (rt *Router) sweep() {
	length := rt.tickLength()
	ticks := func(d time.Duration) uint32 { return uint32((d + length - 1) / length) }
	limits := limits{ping: ticks(rt.cfg.PingInterval), write: ticks(rt.cfg.WriteTimeout), message: ticks(rt.cfg.MessageTimeout)}
	ticker := time.NewTicker(length)
	defer ticker.Stop()
	var conns []*core
	var storm storm
	if collected() { // then the start is one
		storm.changed = stormSize
	}
	for {
		select {
		case <-rt.halt:
			return
		case <-ticker.C:
		}
		now := rt.tick.Add(1)
		conns = rt.conns.all(conns)
		for _, c := range conns {
			c.check(now, limits)
		}
		rt.swept.Store(now)
		clear(conns) // keep none of them alive
		rt.lobby.check(now)
		if storm.over(rt.stats.accepted.Load()+rt.stats.feeds.Load(), uint64(len(conns))) {
			debug.FreeOSMemory()
		}
	}
}

// A storm is many connections that come or go within seconds: a restart, a
// Wi-Fi that comes back; a start that read much. What their handshakes took is garbage that a quiet
// server would not collect for minutes, on a board that has better uses for it.
type storm struct {
	accepted, open uint64 // at the last sweep
	calm           int    // sweeps in a row since it passed
	changed        uint64 // connections that came or went since memory was given back
}

// collected reports whether the collector has run. Where it has not, as at most starts, there is less garbage than what it needs
// itself: 0.4 MB, with the pages of the program that tell it what is on a stack.
func collected() bool {
	var stats debug.GCStats
	debug.ReadGCStats(&stats)
	return stats.NumGC > 0
}

// stormSize is how many connections make a storm.
const stormSize = 1000

// stormCalm is how many sweeps must find it over: by then rooms that have fallen silent have let go of what they
// kept for the next frame (hub, after 2 s).
const stormCalm = 4

// over reports, once for each storm, that it has passed.
func (s *storm) over(accepted, open uint64) bool {
	came := accepted - s.accepted
	went := s.open + came - open
	s.accepted, s.open = accepted, open
	s.changed += came + went
	if came+went > stormSize/20 || s.changed < stormSize {
		s.calm = 0
		return false
	}
	if s.calm++; s.calm < stormCalm {
		return false
	}
	s.calm, s.changed = 0, 0
	return true
}

// limits are what the sweeper watches, in ticks.
type limits struct{ ping, write, message uint32 }

// check pings a peer that is silent and drops one that stays so, closes one that takes nothing of what
// is pending, and one that does not end what it began.
func (c *core) check(now uint32, limits limits) {
	c.out.CheckProgress(now, limits.write)
	if c.out.Over() {
		return
	}
	if c.oneWay { // it says nothing, and hears that we are there
		if now-c.pinged >= limits.ping {
			c.ping(now)
		}
		return
	}
	if c.paused() { // what it sends, its pongs among it, is not read
		c.seen.Store(now)
		if c.begun.Load() != 0 {
			c.begun.Store(max(now, 1))
		}
		return
	}
	silent, begun := now-c.seen.Load(), c.begun.Load()
	switch {
	case begun != 0 && now-begun > limits.message:
		c.rt.stats.stalled.Add(1)
		c.Close(refusal.ClosePolicyViolation, "message_timeout: a message took longer than "+c.rt.cfg.MessageTimeout.String()+" to arrive")
	case silent > 2*limits.ping:
		c.rt.stats.silent.Add(1)
		c.Close(refusal.CloseGoingAway, "silent for two ping intervals")
	case silent >= limits.ping && now-c.pinged >= limits.ping:
		c.ping(now)
	}
}

func (c *core) ping(now uint32) {
	c.pinged = now
	_ = c.out.Queue(frame.Ping, nil, false) // a connection that is closing needs none
	c.out.Flush()
}
