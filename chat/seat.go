package chat

import (
	"errors"
	"sync"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/moderation"
)

// A seat is the place of a client in one of its rooms.
//
//	waiting -> open -> going -> leaving -> ended
//
// It waits until the room's history was looked at, which a loader does, is going while it is taken out of the room, by the
// client or by a moderator, and leaves until what
// the client has said is acknowledged, which the store does: so the first frame
// of the room is subscribed, and the last unsubscribed. A client may leave while it waits.
type seat struct {
	many     *many
	room     string
	mayWrite bool
	at       int32 // among the occupants

	mu     sync.Mutex
	state  seatState
	acks   int                 // that are still to come
	member *hub.Member         // set once
	no     *moderation.Refusal // it is to go as soon as it has a member
}

type seatState uint8

const (
	waiting seatState = iota
	open
	going
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
		s.many.subscribed(s.room, s.many.username, since, joined, nil) // welcome has told of nodes
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
	s.many.ack(s.room, s.many.username, key, r)
	s.acks--
	s.endLocked()
}

// leave takes the client out of the room. It reports whether unsubscribed comes, which may be that of an end that has begun.
func (s *seat) leave() bool {
	if !s.goes() {
		return !s.hasEnded()
	}
	s.member.Leave()
	s.left(nil)
	return true
}

// goes reports whether it was there, or about to be: then it is the caller's to take it out.
func (s *seat) goes() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state > open {
		return false
	}
	s.state = going
	return true
}

// left is what follows when the member is out, for a moderator if no says so.
func (s *seat) left(no *moderation.Refusal) {
	s.many.ctl.here.remove(s)
	s.many.conn.Detach(s.member) // nothing of the room is written any more, save the rest of a frame
	s.mu.Lock()
	defer s.mu.Unlock()
	if no != nil {
		s.many.refuse(&codec.Error{Code: no.Code, Message: no.Text, Room: s.room, RetryAfter: no.Wait})
	}
	s.state = leaving
	s.endLocked()
}

func (s *seat) place() *int32                  { return &s.at }
func (s *seat) who(room string) moderation.Who { return s.many.who(room) }
func (s *seat) in() string                     { return s.room }
func (s *seat) connection() bool               { return false }
func (s *seat) bearer() *auth.Identity         { return s.many.identity }

// expel takes the client out of the room, and leaves it the connection.
func (s *seat) expel(no *moderation.Refusal) {
	s.mu.Lock()
	if s.member == nil {
		s.no = no
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	if s.goes() {
		s.member.Expel()
		s.left(no)
	}
}

// sit gives the seat its member, which is written from now on. It returns why it is to go at once, nil if it is not.
func (s *seat) sit(m *hub.Member) *moderation.Refusal {
	s.many.conn.Attach(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.member = m
	return s.no
}

// endLocked says that nothing more will come of the room once that is so.
func (s *seat) endLocked() {
	if s.state != leaving || s.acks > 0 {
		return
	}
	s.state = ended
	s.many.send(func(dst []byte) []byte { return codec.AppendUnsubscribed(dst, s.many.format, s.room) })
}
