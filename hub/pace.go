package hub

import "time"

const (
	// paceMembers is how many members a room has for which a walk is timed:
	// under it a walk is over before anything could be gathered.
	paceMembers = 64
	// breathPart: after a walk with several messages a large room draws breath for
	// one part in so many of the time that the walk took. A publisher who has
	// several in flight sends them one by one as it hears of the last walk, and
	// they go out in one write a member, not the first alone and then the others.
	// One message at a time never waits.
	breathPart = 8
	// breathMax bounds that, whatever held up the walk.
	breathMax = time.Millisecond
)

// step is one walk of the flusher. It reports whether the next is due; if not,
// the flusher has ended.
func (r *room) step() (again bool) {
	r.mu.Lock()
	events, burst := !r.urgent, r.fresh > 1 && len(r.members) >= paceMembers
	r.dirty, r.urgent, r.fresh = false, false, 0
	r.mu.Unlock()
	var began time.Time
	if events || burst {
		began = time.Now()
	}
	r.walk(&r.at)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case events:
		r.rested = rest(began, eventShare, 1, eventPause, eventPauseMax)
	case burst:
		r.breathed = rest(began, 1, breathPart, 0, breathMax)
	}
	r.at = 0
	r.flushing = r.dueLocked()
	return r.flushing
}

// rest returns until when a room rests from a walk: for a share of its time.
func rest(began time.Time, times, part int, low, high time.Duration) time.Time {
	now := time.Now()
	return now.Add(min(max(low, time.Duration(times)*now.Sub(began)/time.Duration(part)), high))
}

// dueLocked reports whether there is something that a walk is to be made for
// now. If there is and it may wait, it sees to that walk.
func (r *room) dueLocked() bool {
	if !r.dirty || len(r.members) == 0 { // a timer would keep a room that has ended
		return false
	}
	until := r.rested
	if r.urgent {
		until = r.breathed
	}
	if until.IsZero() {
		return true
	}
	wait := time.Until(until)
	if wait <= 0 {
		return true
	}
	switch {
	case r.pause == nil:
		r.pause = time.AfterFunc(wait, r.resume)
	case !r.pausing || until.Before(r.paused):
		r.pause.Reset(wait)
	default:
		return false
	}
	r.pausing, r.paused = true, until
	return false
}

// resume flushes what was gathered, on the timer's goroutine.
func (r *room) resume() {
	r.mu.Lock()
	r.pausing = false
	start := r.held == 0 && r.startLocked() // who holds it sees to it
	r.mu.Unlock()
	if start {
		r.flush()
	}
}

// stopLocked stops the timers of a room that nobody is in, which they would keep
// for a while.
func (r *room) stopLocked() {
	if r.cooler != nil {
		r.cooler.Stop()
	}
	if r.pause != nil {
		r.pause.Stop()
		r.pausing = false
	}
}
