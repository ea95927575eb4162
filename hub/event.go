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

// announceLocked sends an event to everyone, here and elsewhere.
func (r *room) announceLocked(e *codec.Event) {
	r.tellLocked(e)
	r.hearLocked(e)
}

// tellLocked tells other hubs of an event.
func (r *room) tellLocked(e *codec.Event) {
	if tell := r.hub.cfg.Announced; tell != nil {
		tell(r.name, e)
	}
}

// hearLocked sends an event to everyone who is here.
func (r *room) hearLocked(e *codec.Event) {
	for i, l := range r.logs {
		if l != nil {
			l.append(0, func(dst []byte) []byte { return r.hub.cfg.Formats[i].Event(dst, r.name, e) })
		}
	}
	r.flusher.newsLocked(r.unwalkedLocked(1, eventPart), 0)
}
