package hub

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
	if r.flushing || !r.dueLocked() {
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

// flush walks until no walk is due.
func (r *room) flush() {
	for r.step() {
	}
	r.hub.wg.Done()
}

// flushTurn walks once, at the end of a turn of an event loop. What came
// meanwhile is a goroutine's, or the loop would never get on.
func (r *room) flushTurn() (more bool) {
	if r.step() {
		go r.run()
		return false
	}
	r.hub.wg.Done()
	return false
}
