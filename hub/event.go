package hub

import (
	"time"

	"edgechat/codec"
)

// A message is written to everyone as soon as it is numbered. Events are worth
// less, and a thousand members that come back at once are a thousand events for each of
// a thousand: a write for each would be a million. So the first event in a room
// is written at once, and those that follow are gathered until the room has rested
// from that walk, or a message takes them along.
const (
	// eventPause is how long a room rests at least: too short to be noticed,
	// and a storm of seconds is some dozens of writes a member.
	eventPause = 25 * time.Millisecond
	// eventShare: it rests this many times as long as the walk took, so that
	// events take at most a fifth of a core, however large the room.
	eventShare = 4
	// eventPauseMax bounds the rest, whatever held up the walk.
	eventPauseMax = time.Second
	// eventPart: events do not wait once they are one part in so many of what
	// the log may hold, or members would fall out of it without having been
	// offered anything.
	eventPart = 4
)

// announceLocked sends an event to everyone.
func (r *room) announceLocked(e *codec.Event) {
	for i, l := range r.logs {
		if l != nil {
			l.append(0, func(dst []byte) []byte { return r.hub.cfg.Formats[i].Event(dst, e) })
		}
	}
	r.urgent = r.urgent || r.unwalkedLocked(eventPart)
	r.wakeLocked()
}

// dueLocked reports whether there is something that a walk is to be made for
// now. If there is and it may wait, it sees to that walk.
func (r *room) dueLocked() bool {
	switch {
	case !r.dirty || len(r.members) == 0: // a timer would keep a room that has ended
		return false
	case r.urgent:
		return true
	}
	wait := time.Until(r.rested)
	if wait > 0 && r.pause == nil {
		r.pause = time.AfterFunc(wait, r.resume)
	}
	return wait <= 0
}

// resume flushes the events that were gathered, on the timer's goroutine.
func (r *room) resume() {
	r.mu.Lock()
	r.pause = nil
	start := r.held == 0 && r.startLocked() // who holds it sees to it
	r.mu.Unlock()
	if start {
		r.flush()
	}
}

// stroll is a walk for events alone, after which the room rests.
func (r *room) stroll() {
	began := time.Now()
	r.walk(&r.at)
	now := time.Now()
	r.mu.Lock()
	r.rested = now.Add(min(max(eventPause, eventShare*now.Sub(began)), eventPauseMax))
	r.mu.Unlock()
}

// stopLocked stops the timers of a room that nobody is in, which they would keep
// for a while.
func (r *room) stopLocked() {
	if r.cooler != nil {
		r.cooler.Stop()
	}
	if r.pause != nil {
		r.pause.Stop()
		r.pause = nil
	}
}
