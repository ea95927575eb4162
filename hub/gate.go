package hub

import (
	"sync/atomic"
	"time"
)

// A gate slows those who publish into a room down to the pace of those who
// read there. It closes when a member that does read is further behind than half of what the
// room's log holds, and opens when all such are at three eighths. Meanwhile whoever publishes has
// his connection paused after that message; a publisher that has none waits before it.
// room.mu guards it.
//
//	      somebody who reads is half a log behind
//	open ------------------------------------------> closed
//	 ^                                                 |
//	 +-------------------------------------------------+
//	   the last of them is at three eighths, has left, or is not waited for any more
//
// Those who read no slower than most are waited for; nobody else holds the room for long. Once at
// least as many have read everything as are waited for, who takes nothing for half a second, or has
// not come to three eighths in two seconds, or in twice the time that the others took, is not waited for
// any more; before, as when the whole room is slow, it is four times as long. Then it is not waited
// for until ten seconds have passed, and may fall out of the log: the others go on without it. The time
// is the gate's own, which stands still while the machine is too busy for it to look.
type gate struct {
	room    *room
	shut    atomic.Bool
	seen    time.Time     // when it last looked who is behind
	clock   time.Duration // its time at that time
	since   time.Duration // when it was closed
	idle    time.Duration // since when at least as many have nothing to read as are waited for; 0 while it is not so
	holders int           // members that are waited for
	paused  []*Member     // publishers whose connections are
	opened  chan struct{} // closed when the gate opens; nil if nobody waits for that
	timer   *time.Timer   // runs tick; nil before it was needed
}

// A lag is what the gate knows of a member that is behind. room.mu guards it.
type lag struct {
	pos     uint64        // where it was when
	last    uint64        // it was looked at
	moved   time.Duration // when it was last seen to have taken something
	excused time.Duration // until when it is not waited for
	holds   bool          // it is waited for
}

// waits are how long a gate waits for somebody.
type waits struct{ stall, patience, excuse, tick time.Duration }

var gateWaits = waits{stall: 500 * time.Millisecond, patience: 2 * time.Second, excuse: 10 * time.Second, tick: 50 * time.Millisecond}

// gateSlow: where nobody has read everything who would be held up, it waits this many times as long.
const gateSlow = 4

// How far behind a member is, of what its log may hold.
func (l *frameLog) full(behind uint64) bool  { return behind > uint64(l.limit/2) }
func (l *frameLog) eased(behind uint64) bool { return behind <= uint64(l.limit/8*3) }
func (l *frameLog) grown() bool              { return l.top-l.looked > uint64(l.limit/8) }

// lookLocked looks who is behind, once much was appended since.
func (g *gate) lookLocked() {
	if g.shut.Load() {
		return
	}
	for _, l := range g.room.logs {
		if l != nil && l.grown() {
			g.judgeLocked()
			return
		}
	}
}

// judgeLocked finds the members that are to be waited for, and closes or opens the gate.
func (g *gate) judgeLocked() {
	r, shut := g.room, g.shut.Load()
	now := g.timeLocked(shut)
	for _, l := range r.logs {
		if l != nil {
			l.looked = l.top
		}
	}
	holders, ready := 0, 0
	for _, m := range r.members {
		switch behind := r.logs[m.format].top - m.pos; {
		case !r.logs[m.format].eased(behind):
			if g.judgeMemberLocked(m, behind, now) {
				holders++
			}
		case m.lag != nil && now < m.lag.excused:
			m.lag.holds = false
		default:
			m.lag = nil
			if !m.paused {
				ready++
			}
		}
	}
	if g.holders = holders; holders > ready {
		g.idle = 0
	} else if g.idle == 0 {
		g.idle = now
	}
	switch {
	case holders > 0 && !shut:
		g.shut.Store(true)
		g.spareLocked(1)
		g.since, g.idle = now, 0
		r.hub.stats.slowed.Add(1)
		if g.timer == nil {
			g.timer = time.AfterFunc(r.hub.cfg.waits.tick, g.tick)
		} else {
			g.timer.Reset(r.hub.cfg.waits.tick)
		}
	case holders == 0 && shut:
		g.openLocked()
	case shut:
		g.timer.Reset(r.hub.cfg.waits.tick)
	}
}

// timeLocked returns the gate's time.
func (g *gate) timeLocked(shut bool) time.Duration {
	now := time.Now()
	passed := now.Sub(g.seen)
	switch {
	case g.seen.IsZero():
		passed = time.Second // no time is 0
	case shut:
		passed = min(passed, 2*g.room.hub.cfg.waits.tick)
	}
	g.seen = now
	g.clock += passed
	return g.clock
}

// judgeMemberLocked reports whether m, which is that far behind, is to be waited for.
func (g *gate) judgeMemberLocked(m *Member, behind uint64, now time.Duration) bool {
	k := m.lag
	if k == nil {
		k = &lag{moved: now}
		m.lag = k
	}
	f := &g.room.flusher
	offered := !f.walking || int(m.place) < f.at
	if k.pos != m.pos || k.last != m.last || !offered {
		k.pos, k.last, k.moved = m.pos, m.last, now
	}
	switch {
	case now < k.excused:
		k.holds = false
	case !k.holds: // who has taken nothing for long is none who reads
		k.holds = g.room.logs[m.format].full(behind) && now-k.moved < gateSlow*g.room.hub.cfg.waits.stall
	case offered && g.tiredLocked(k.moved, now):
		k.holds, k.excused = false, now+g.room.hub.cfg.waits.excuse
		g.room.hub.stats.excused.Add(1)
	}
	return k.holds
}

// tiredLocked reports whether somebody who last took something at moved was waited for
// long enough.
func (g *gate) tiredLocked(moved, now time.Duration) bool {
	w := &g.room.hub.cfg.waits
	if now-moved >= gateSlow*w.stall || now-g.since >= gateSlow*w.patience {
		return true
	}
	took := g.idle - g.since // by the others
	return g.idle != 0 && (now-max(g.idle, moved) >= max(w.stall, took) || now-g.idle >= max(w.patience, 2*took))
}

// tick looks again while the gate is closed.
func (g *gate) tick() {
	g.room.mu.Lock()
	defer g.room.mu.Unlock()
	if g.shut.Load() {
		g.judgeLocked()
	}
}

// easedLocked says that m, which has a lag, has taken something, fallen out or left.
func (g *gate) easedLocked(m *Member) {
	l := g.room.logs[m.format] // nil if m was the last to use it
	if m.lag.holds && (m.gone() || l.eased(l.top-m.pos)) {
		m.lag.holds = false
		if g.holders--; g.holders == 0 && g.shut.Load() {
			g.judgeLocked() // others may have come to be behind meanwhile
		}
	}
}
