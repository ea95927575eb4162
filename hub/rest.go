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

// rest returns until when a room rests from a walk: for a share of its time.
func rest(began time.Time, times, part int, low, high time.Duration) time.Time {
	now := time.Now()
	return now.Add(min(max(low, time.Duration(times)*now.Sub(began)/time.Duration(part)), high))
}

// dueLocked reports whether there is something that a walk is to be made for
// now. If there is and it may wait, the flusher rests until then.
func (f *flusher) dueLocked() bool {
	if !f.news.any || len(f.room.members) == 0 { // a timer would keep a room that has ended
		return false
	}
	until := f.rested
	if f.news.urgent {
		until = f.breathed
	}
	if until.IsZero() {
		return true
	}
	wait := time.Until(until)
	if wait <= 0 {
		return true
	}
	switch {
	case f.timer == nil:
		f.timer = time.AfterFunc(wait, f.wake)
	case f.state != resting || until.Before(f.until):
		f.timer.Reset(wait)
	default:
		return false
	}
	f.state, f.until = resting, until
	return false
}

// wake flushes what was gathered, on the timer's goroutine.
func (f *flusher) wake() {
	r := f.room
	r.mu.Lock()
	if f.state == resting {
		f.state = idle
	}
	start := f.held.Load() == 0 && f.startLocked() // who holds it sees to it
	r.mu.Unlock()
	if start {
		f.goOn()
	}
}

// stopLocked ends the rest of a room that nobody is in, which a timer would keep for a while.
func (f *flusher) stopLocked() {
	if f.timer != nil {
		f.timer.Stop()
	}
	if f.state == resting {
		f.state = idle
	}
}
