package ws

import (
	"runtime/debug"
	"time"

	"edgechat/refusal"
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
	return max(min(rt.cfg.PingInterval, rt.cfg.WriteTimeout, ticksPerInterval*time.Second)/ticksPerInterval, time.Millisecond)
}

func (rt *Router) sweep() {
	length := rt.tickLength()
	ticks := func(d time.Duration) uint32 { return uint32((d + length - 1) / length) }
	ping, write := ticks(rt.cfg.PingInterval), ticks(rt.cfg.WriteTimeout)
	ticker := time.NewTicker(length)
	defer ticker.Stop()
	var conns []*core
	var storm storm
	for {
		select {
		case <-rt.halt:
			return
		case <-ticker.C:
		}
		now := rt.tick.Add(1)
		conns = rt.conns.all(conns)
		for _, c := range conns {
			c.check(now, ping, write)
		}
		rt.swept.Store(now)
		clear(conns) // keep none of them alive
		rt.lobby.check(now)
		for _, l := range rt.loops {
			l.nudge()
		}
		if storm.over(rt.stats.accepted.Load(), uint64(len(conns))) {
			debug.FreeOSMemory()
		}
	}
}

// A storm is many connections that come or go within seconds: a restart, a
// Wi-Fi that comes back. What their handshakes took is garbage that a quiet
// server would not collect for minutes, on a board that has better uses for it.
type storm struct {
	accepted, open uint64 // at the last sweep
	changed        uint64 // connections that came or went since memory was given back
}

// stormSize is how many connections make a storm.
const stormSize = 1000

// over reports, once for each storm, that it has passed.
func (s *storm) over(accepted, open uint64) bool {
	came := accepted - s.accepted
	went := s.open + came - open
	s.accepted, s.open = accepted, open
	s.changed += came + went
	if came+went > stormSize/20 || s.changed < stormSize {
		return false
	}
	s.changed = 0
	return true
}

// check pings a peer that is silent, drops one that stays so, and closes one
// that takes nothing of what is pending.
func (c *core) check(now, ping, write uint32) {
	if c.paused.Load() {
		c.seen.Store(now) // its pongs are not read either
	}
	silent := now - c.seen.Load()
	c.mu.Lock()
	stuck := c.writing && now-c.moved > write
	closing := c.closing
	if stuck && !closing {
		c.slowLocked("too slow: come back and continue from the last message seen")
	}
	due := silent >= ping && now-c.pinged >= ping
	if due {
		c.pinged = now
	}
	c.mu.Unlock()
	switch {
	case stuck && closing:
		c.kill()
	case closing:
	case silent > 2*ping:
		c.rt.stats.silent.Add(1)
		c.Close(refusal.CloseGoingAway, "silent for two ping intervals")
	case due:
		c.control(opPing, nil)
	}
}
