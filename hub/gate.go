package hub

import (
	"sync/atomic"
	"time"
)

// A gate slows those who publish into a room down to the pace of those who
// read there. It closes when a member that does read is further behind than half of what the
// room's log holds, and opens when all such are at a quarter. Meanwhile whoever publishes has
// his connection paused after that message; a publisher that has none waits before it.
// room.mu guards it.
//
// Nobody holds the room for long: who has taken nothing for Config.stall, or has
// not come to a quarter Config.patience after the gate has closed, is not waited for until
// Config.excuse has passed. So whatever its readers do a room takes a quarter of its log in
// each patience: 128 KiB a second. Who is not waited for may fall out of the log.
//
//	      somebody who reads is half a log behind
//	open ------------------------------------------> closed
//	 ^                                                 |
//	 +-------------------------------------------------+
//	   the last of them is at a quarter, has left, or is not waited for any more
type gate struct {
	room    *room
	shut    atomic.Bool
	since   time.Time
	holders int           // members that are waited for
	paused  []*Member     // publishers whose connections are
	opened  chan struct{} // closed when the gate opens; nil if nobody waits for that
	timer   *time.Timer   // runs tick; nil before it was needed
}

// A lag is what the gate knows of a member that is behind. room.mu guards it.
type lag struct {
	pos     uint64    // where it was when
	last    uint64    // it was looked at
	moved   time.Time // when it was last seen to have taken something
	excused time.Time // until when it is not waited for
	holds   bool      // it is waited for
}

const (
	gateClose = 2 // one part in so many of what a log may hold
	gateOpen  = 4
	gateLook  = 8 // looks are made whenever a log has grown by that
	gateTick  = 50 * time.Millisecond
)

// lookLocked looks, once much was appended since, who is behind.
func (g *gate) lookLocked() {
	look := false
	for _, l := range g.room.logs {
		look = look || l != nil && l.top-l.looked > uint64(l.limit/gateLook)
	}
	if look && !g.shut.Load() {
		g.judgeLocked(time.Now())
	}
}

// judgeLocked finds the members that are to be waited for, and closes or opens the gate.
func (g *gate) judgeLocked(now time.Time) {
	r, shut := g.room, g.shut.Load()
	for _, l := range r.logs {
		if l != nil {
			l.looked = l.top
		}
	}
	g.holders = 0
	for _, m := range r.members {
		g.judgeMemberLocked(m, now, shut)
	}
	switch {
	case g.holders > 0 && !shut:
		g.shut.Store(true)
		g.since = now
		r.hub.stats.slowed.Add(1)
		if g.timer == nil {
			g.timer = time.AfterFunc(gateTick, g.tick)
		} else {
			g.timer.Reset(gateTick)
		}
	case g.holders == 0 && shut:
		g.openLocked()
	case shut:
		g.timer.Reset(gateTick)
	}
}

func (g *gate) judgeMemberLocked(m *Member, now time.Time, shut bool) {
	cfg, l, k := &g.room.hub.cfg, g.room.logs[m.format], m.lag
	behind := l.top - m.pos
	if behind <= uint64(l.limit/gateOpen) {
		if k != nil {
			if k.holds = false; !now.Before(k.excused) {
				m.lag = nil
			}
		}
		return
	}
	if k == nil {
		k = &lag{moved: now}
		m.lag = k
	}
	f := &g.room.flusher
	unoffered := f.walking && m.place >= f.at
	if k.pos != m.pos || k.last != m.last || unoffered {
		k.pos, k.last, k.moved = m.pos, m.last, now
	}
	held := k.holds
	k.holds = (held || behind > uint64(l.limit/gateClose)) && !now.Before(k.excused)
	if !k.holds {
		return
	}
	if now.Sub(k.moved) >= cfg.stall || shut && !unoffered && now.Sub(g.since) >= cfg.patience {
		if k.holds = false; held { // else it has been silent for long: no word about that
			k.excused = now.Add(cfg.excuse)
			g.room.hub.stats.excused.Add(1)
		}
		return
	}
	g.holders++
}

// tick looks again while the gate is closed.
func (g *gate) tick() {
	g.room.mu.Lock()
	defer g.room.mu.Unlock()
	if g.shut.Load() {
		g.judgeLocked(time.Now())
	}
}

// easedLocked says that m, which has a lag, has taken something, fallen out or left.
func (g *gate) easedLocked(m *Member) {
	l := g.room.logs[m.format]
	if m.lag.holds && (m.gone || l.top-m.pos <= uint64(l.limit/gateOpen)) {
		m.lag.holds = false
		if g.holders--; g.holders == 0 && g.shut.Load() {
			g.openLocked()
		}
	}
}

// openLocked lets all publishers go on: by a goroutine, since it may be a connection that
// has its lock held that says it has taken something.
func (g *gate) openLocked() {
	g.shut.Store(false)
	g.timer.Stop()
	if g.opened != nil {
		close(g.opened)
		g.opened = nil
	}
	paused := g.paused
	g.paused = nil
	for _, m := range paused {
		m.paused = false
	}
	if len(paused) > 0 {
		g.room.hub.wg.Go(func() {
			for _, m := range paused {
				m.conn.Resume()
			}
		})
	}
}

// pauseLocked reports whether the connection of m, which has published, is to be paused.
func (g *gate) pauseLocked(m *Member) bool {
	if !g.shut.Load() || m.paused || m.gone {
		return false
	}
	m.paused = true
	g.paused = append(g.paused, m)
	return true
}

// pause pauses the connection of m, unless the gate has opened meanwhile.
func (m *Member) pause() {
	m.conn.Pause()
	m.room.mu.Lock()
	late := !m.paused
	m.room.mu.Unlock()
	if late {
		m.conn.Resume()
	}
}

// wait returns when the gate is open, for a publisher who has no connection to pause. It takes
// no longer than the longest member is waited for.
func (g *gate) wait() {
	if !g.shut.Load() {
		return
	}
	r := g.room
	r.mu.Lock()
	if !g.shut.Load() {
		r.mu.Unlock()
		return
	}
	if g.opened == nil {
		g.opened = make(chan struct{})
	}
	opened := g.opened
	r.mu.Unlock()
	<-opened
}

// relieve is for a publisher who finds that his room is full all the same, since many have said
// something before any of them was paused: he does a walk of his own, so that nobody is thrown
// out of the log who was not offered what is in it.
func (r *room) relieve() {
	r.mu.Lock()
	full := r.unwalkedLocked(5, 8)
	if full {
		r.walkedLocked()
		r.hub.stats.relieved.Add(1)
	}
	r.mu.Unlock()
	var batch [walkBatch]*Member
	for at, n := 0, walkBatch; full && n > 0; at += n {
		r.mu.Lock()
		n = copy(batch[:], r.members[min(at, len(r.members)):])
		r.mu.Unlock()
		for _, m := range batch[:n] {
			m.conn.Flush()
		}
	}
}

// leftLocked is told that m has left.
func (g *gate) leftLocked(m *Member) {
	if m.lag != nil {
		g.easedLocked(m)
	}
	if m.paused {
		m.paused = false
		for i, p := range g.paused {
			if p == m {
				g.paused[i] = g.paused[len(g.paused)-1]
				g.paused = g.paused[:len(g.paused)-1]
				break
			}
		}
		g.room.hub.wg.Go(m.conn.Resume) // it may be in other rooms
	}
}
