package hub

// openLocked lets all publishers go on: by a goroutine, since it may be a connection that
// has its lock held that says it has taken something.
func (g *gate) openLocked() {
	g.shut.Store(false)
	g.spareLocked(0)
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

// spareLocked lets the logs hold so many times as much more: what publishers say before they
// are paused must not throw out those they are paused for.
func (g *gate) spareLocked(times int) {
	for _, l := range g.room.logs {
		if l != nil {
			l.more = times * l.limit
			l.trim()
		}
	}
}

// pauseLocked reports whether the connection of m, which has published, is to be paused. It is resumed once
// for that, which may be before it was.
func (g *gate) pauseLocked(m *Member) bool {
	if !g.shut.Load() || m.paused || m.gone() {
		return false
	}
	m.paused = true
	g.paused = append(g.paused, m)
	return true
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
		g.room.hub.wg.Go(m.conn.Resume) // it goes on in other rooms
	}
}
