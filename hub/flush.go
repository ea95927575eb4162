package hub

// flushBatch is how many members the flusher takes from the room at a time.
const flushBatch = 64

// wakeLocked has the members written what is new. The flusher is a goroutine that
// exists only while there is something: what is appended while it walks goes
// out on its next walk, many frames in one write.
func (r *room) wakeLocked() {
	r.dirty = true
	if !r.flushing && len(r.members) > 0 {
		r.flushing = true
		r.hub.wg.Add(1) // wg.Go would allocate, for each message
		go r.run()
	}
}

func (r *room) flush() {
	defer r.hub.wg.Done()
	for {
		r.mu.Lock()
		if !r.dirty {
			r.flushing = false
			r.mu.Unlock()
			return
		}
		r.dirty = false
		r.mu.Unlock()
		r.walk()
	}
}

// walk flushes every member, and then forgets what all of them have.
func (r *room) walk() {
	r.mu.Lock()
	for _, l := range r.logs {
		if l != nil {
			l.walked = l.top
		}
	}
	r.mu.Unlock()
	var batch [flushBatch]*Member
	for i := 0; ; {
		r.mu.Lock()
		n := 0
		if i < len(r.members) {
			n = copy(batch[:], r.members[i:])
		}
		r.mu.Unlock()
		if n == 0 {
			break
		}
		for _, m := range batch[:n] {
			m.conn.Flush()
		}
		i += n
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.members {
		if m.behind || m.pos != r.logs[m.format].top {
			return
		}
	}
	for _, l := range r.logs {
		if l != nil {
			l.taken()
		}
	}
}

// throttle holds back a publisher whose room has more unwritten than half of what the log
// may hold: it does a walk of its own, so that members that keep up are never
// thrown out by speed alone.
func (r *room) throttle() {
	r.mu.Lock()
	behind := false
	for _, l := range r.logs {
		behind = behind || l != nil && l.top-l.walked > uint64(l.limit/2)
	}
	r.mu.Unlock()
	if behind {
		r.walk()
	}
}
