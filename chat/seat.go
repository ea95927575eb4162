package chat

import (
	"errors"
	"sync"

	"edgechat/codec"
	"edgechat/hub"
)

// A seat is the place of a client in one of its rooms.
//
//	waiting -> open -> leaving -> ended
//
// It waits until the room's history was looked at, which a loader does, and leaves until what
// the client has said is acknowledged, which the store does: so the first frame
// of the room is subscribed, and the last unsubscribed. A client may leave while it waits.
type seat struct {
	many     *many
	room     string
	mayWrite bool
	member   *hub.Member // for the goroutine of the connection alone

	mu    sync.Mutex
	state seatState
	acks  int // that are still to come
}

type seatState uint8

const (
	waiting seatState = iota
	open
	leaving
	ended
)

// ready is called by the hub, from any goroutine.
func (s *seat) ready(since *codec.ID, joined hub.Joined, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.state != waiting: // it has left meanwhile
	case errors.Is(err, hub.ErrFull): // join, which has not returned, says so
		s.state = ended
	case err != nil:
		s.many.joinFailed(s.room, s.many.username, err)
	default:
		s.state = open
		s.many.subscribed(s.room, s.many.username, since, joined)
	}
}

func (s *seat) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == open
}

func (s *seat) hasEnded() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == ended
}

// say publishes a message in the room.
func (s *seat) say(msg codec.Client) *codec.Error {
	var done func(codec.Receipt)
	if msg.Key != "" {
		s.mu.Lock()
		s.acks++
		s.mu.Unlock()
		key := msg.Key // all of msg would be kept
		done = func(r codec.Receipt) { s.settled(key, r) }
	}
	problem := s.many.publish(s.member, s.room, msg, done)
	if problem != nil && done != nil {
		s.mu.Lock()
		s.acks--
		s.mu.Unlock()
	}
	return problem
}

// settled sends an ack, and what waited for the last one.
func (s *seat) settled(key string, r codec.Receipt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.many.ack(s.room, key, r)
	s.acks--
	s.endLocked()
}

// leave takes the client out of the room. It reports whether it was there, or about to be.
func (s *seat) leave() bool {
	s.mu.Lock()
	there := s.state <= open
	s.mu.Unlock()
	if !there {
		return false
	}
	s.member.Leave()
	s.many.conn.Detach(s.member) // nothing of the room is written any more, save the rest of a frame
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = leaving
	s.endLocked()
	return true
}

// endLocked says that nothing more will come of the room once that is so.
func (s *seat) endLocked() {
	if s.state != leaving || s.acks > 0 {
		return
	}
	s.state = ended
	s.many.send(func(dst []byte) []byte { return codec.AppendUnsubscribed(dst, s.many.format, s.room) })
}
