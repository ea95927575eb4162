package hub

// walkBatch is how many members a walk takes from the room at a time.
const walkBatch = 64

// walk flushes every member, and then forgets what all of them have. at, which
// is guarded by r.mu, is how many it has been to.
func (r *room) walk(at *int) {
	r.mu.Lock()
	*at = 0
	for _, l := range r.logs {
		if l != nil {
			l.walked = l.top
		}
	}
	r.mu.Unlock()
	var batch [walkBatch]*Member
	for {
		r.mu.Lock()
		n := copy(batch[:], r.members[min(*at, len(r.members)):])
		*at += n
		r.mu.Unlock()
		if n == 0 {
			break
		}
		for _, m := range batch[:n] {
			m.conn.Flush()
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.allTakenLocked() {
		return
	}
	for _, l := range r.logs {
		if l != nil {
			l.taken()
		}
	}
	r.coolLocked()
}

func (r *room) allTakenLocked() bool {
	for _, m := range r.members {
		if m.catchup != nil || m.pos != r.logs[m.format].top {
			return false
		}
	}
	return true
}

// throttle holds back a publisher whose room has more unwritten than half of what the log
// may hold: it does a walk of its own, so that members that keep up are never
// thrown out by speed alone.
func (r *room) throttle() {
	r.mu.Lock()
	behind := r.unwalkedLocked(2)
	r.mu.Unlock()
	if behind {
		var at int
		r.walk(&at)
	}
}

// unwalkedLocked reports whether a log has more that no walk has seen to than
// one part in parts of what it may hold.
func (r *room) unwalkedLocked(parts int) bool {
	for _, l := range r.logs {
		if l != nil && l.top-l.walked > uint64(l.limit/parts) {
			return true
		}
	}
	return false
}
