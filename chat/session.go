package chat

import (
	"fmt"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/moderation"
	"edgechat/refusal"
	"edgechat/ws"
)

// A session is one client in the one room of its route.
type session struct {
	client
	mayWrite bool
	at       int32 // among the occupants
	member   *hub.Member
}

// joinKey is where checkJoin leaves its *joinRequest.
type joinKey struct{}

type joinRequest struct {
	username string
	window   window
	format   codec.Format
	quiet    bool
}

// checkJoin is the last guard of the route of one room: what is wrong with a
// query is said before the upgrade.
func (ctl *Controller) checkJoin(r *ws.Request) (err error) {
	join := new(joinRequest)
	q := r.Query()
	if join.username, err = username(identityOf(r), q.Get("username")); err != nil {
		return err
	}
	if join.format, err = parseFormat(q.Get("format")); err != nil {
		return err
	}
	if join.window, err = ctl.parseWindow(r); err != nil {
		return err
	}
	if join.window.before != nil {
		return refusal.Errorf(refusal.InvalidQuery, "before pages back through GET .../messages, not here")
	}
	if join.quiet, err = parseQuiet(q.Get("announce")); err != nil {
		return err
	}
	r.Set(joinKey{}, join)
	return nil
}

// open joins the room: subscribed, then the replay, then live.
func (ctl *Controller) open(c *ws.Conn[codec.Client]) (ws.Session[codec.Client], error) {
	r := c.Request()
	want, room := r.Value(joinKey{}).(*joinRequest), roomOf(r)
	s := &session{client: ctl.newClient(c, want.format)}
	s.mayWrite = s.identity.May(auth.Write, room)
	if want.window.asked {
		c.Pause() // subscribed comes before any answer
	}
	s.member = ctl.cfg.Hub.Join(room, c, hub.Join{
		Username: want.username, Verified: !s.identity.Anonymous, Format: hubFormat(s.format, false), Quiet: want.quiet,
		Replay: want.window.asked, Since: want.window.since, Limit: want.window.limit,
	}, func(joined hub.Joined, err error) {
		if want.window.asked {
			defer c.Resume()
		}
		if err != nil {
			s.joinFailed(room, want.username, err)
			return
		}
		if s.control || want.window.asked {
			var nodes []string
			if s.control { // a plain client goes nowhere else
				nodes = ctl.cfg.Elsewhere()
			}
			s.subscribed(room, want.username, want.window.since, joined, nodes)
		}
	})
	c.Attach(s.member)
	s.enter(s)
	return s, nil
}

// Receive handles a valid message of the client.
func (s *session) Receive(msg codec.Client) {
	problem := s.count(msg)
	if problem == nil {
		problem = s.handle(msg)
	}
	if problem != nil {
		s.refuse(problem)
	}
}

func (s *session) handle(msg codec.Client) *codec.Error {
	switch msg.Type {
	case codec.TypePing:
		s.pong()
		return nil
	case codec.TypeJoin, codec.TypeLeave:
		return &codec.Error{Code: refusal.InvalidMessage, Key: msg.Key,
			Message: fmt.Sprintf("this connection is in one room from beginning to end; GET /chat takes %q", string(msg.Type))}
	}
	switch room := s.member.Room(); {
	case msg.Room != "" && msg.Room != room:
		return &codec.Error{Code: refusal.NotJoined, Key: msg.Key,
			Message: fmt.Sprintf("this connection is in room %q alone; GET /chat takes frames of several", room)}
	case !s.mayWrite:
		return mayNotWrite(msg)
	}
	if no := s.ruledOut(s.member.Room(), s.member.Username(), msg); no != nil {
		return no
	}
	if msg.Type == codec.TypeTyping {
		s.member.Typing()
		return nil
	}
	var done func(codec.Receipt)
	if msg.Key != "" && s.control {
		key := msg.Key // all of msg would be kept
		done = func(r codec.Receipt) { s.ack("", s.member.Username(), key, r) }
	}
	return s.publish(s.member, "", msg, done)
}

// Reject answers a message that is not valid. The connection stays open.
func (s *session) Reject(err error) {
	e := asError(err)
	e.Room = "" // there is only one
	s.reject(e)
}

// Closed leaves the room.
func (s *session) Closed(error) {
	s.ctl.here.remove(s)
	s.member.Leave()
}

func (s *session) place() *int32 { return &s.at }

func (s *session) who(room string) moderation.Who {
	return whoIs(s.identity, s.member.Username(), room, s.source, s.low)
}
func (s *session) in() string                   { return s.member.Room() }
func (s *session) connection() bool             { return true }
func (s *session) expel(no *moderation.Refusal) { s.cut(s, no) }
