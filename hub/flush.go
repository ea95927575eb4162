package hub

// flushBatch is how many members the flusher takes from the room at a time.
const flushBatch = 64

// wakeLocked has the members written what is new. The flusher is a goroutine that
// exists only while there is something, or the end of a publisher's turn: what
// is appended until it walks goes out together, many frames in one write.
func (r *room) wakeLocked() {
	r.dirty = true
	if r.held == 0 && r.startLocked() {
		go r.run()
	}
}

// startLocked reports whether a flusher is to be started, and counts it as
// started.
func (r *room) startLocked() bool {
	if !r.dirty || r.flushing || len(r.members) == 0 {
		return false
	}
	r.flushing = true
	r.hub.wg.Add(1) // wg.Go would allocate, for each message
	return true
}

// hold leaves it to the caller, who is about to publish, to start the flusher.
func (r *room) hold() {
	r.mu.Lock()
	r.held++
	r.mu.Unlock()
}

// unhold starts the flusher if there is something: at the end of the caller's
// turn if it has one, else as a goroutine. conn is the caller's, or nil.
func (r *room) unhold(conn Conn) {
	r.mu.Lock()
	r.held--
	start := r.startLocked()
	r.mu.Unlock()
	if start && (conn == nil || !conn.Later(r.turn)) {
		go r.run()
	}
}

// flush walks until there is nothing new.
func (r *room) flush() {
	defer r.hub.wg.Done()
	for r.next() {
		r.walk()
	}
}

// flushTurn walks once, at the end of a turn of an event loop. What came
// meanwhile is a goroutine's, or the loop would never get on.
func (r *room) flushTurn() {
	if r.next() {
		r.walk()
		r.mu.Lock()
		again := r.dirty
		r.flushing = again
		r.mu.Unlock()
		if again {
			go r.run()
			return
		}
	}
	r.hub.wg.Done()
}

// next reports whether there is something new. The flusher ends if not.
func (r *room) next() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.dirty {
		r.flushing = false
	}
	dirty := r.dirty
	r.dirty = false
	return dirty
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
		if m.behind || m.pos != r.logs[m.format].top {
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
	behind := false
	for _, l := range r.logs {
		behind = behind || l != nil && l.top-l.walked > uint64(l.limit/2)
	}
	r.mu.Unlock()
	if behind {
		r.walk()
	}
}
