package chat

import (
	"edgechat/auth"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/refusal"
	"edgechat/ws"
)

// A session is one client in a room over WebSocket.
type session struct {
	ctl      *controller
	conn     *ws.Conn[codec.Client]
	member   *hub.Member
	identity *auth.Identity
	format   codec.Format
	control  bool // it offered a subprotocol, and gets acks
	mayWrite bool
}

// joinKey is where checkJoin leaves its *joinRequest.
type joinKey struct{}

type joinRequest struct {
	username string
	window   window
	format   codec.Format
}

// checkJoin is the last guard of the WebSocket route: what is wrong with a
// query is said before the upgrade.
func (ctl *controller) checkJoin(r *ws.Request) (err error) {
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
	r.Set(joinKey{}, join)
	return nil
}

// open joins the room: subscribed, then the replay, then live.
func (ctl *controller) open(c *ws.Conn[codec.Client]) (ws.Session[codec.Client], error) {
	r := c.Request()
	id, want := identityOf(r), r.Value(joinKey{}).(*joinRequest)
	s := &session{
		ctl: ctl, conn: c, identity: id, format: want.format,
		control: c.Subprotocol() != "", mayWrite: id.May(auth.Write, roomOf(r)),
	}
	switch c.Subprotocol() {
	case protocolJSON:
		s.format = codec.JSON
	case protocolMsgPack:
		s.format = codec.MsgPack
	}
	if want.window.asked {
		c.Pause() // subscribed comes before any answer
	}
	room, recovering := roomOf(r), want.window.since != nil
	s.member = ctl.cfg.Hub.Join(room, c, hub.Join{
		Username: want.username, Format: int(s.format),
		Replay: want.window.asked, Since: want.window.since, Limit: want.window.limit,
	}, func(joined hub.Joined, err error) {
		defer c.Resume()
		if err != nil {
			ctl.cfg.Logger.Error("join failed", "room", room, "user", want.username, "err", err)
			c.Close(refusal.CloseTryAgainLater, "the history could not be read: come back")
			return
		}
		if s.control || want.window.asked {
			s.send(func(dst []byte) []byte {
				return codec.AppendSubscribed(dst, s.format, &codec.Subscribed{
					Room: room, Head: joined.Head, Oldest: joined.Oldest,
					WasRecovering: recovering, Recovered: recovering && joined.Recovered,
					Username: want.username, Members: joined.Members,
					MaxContent: ctl.cfg.MaxContent, PingInterval: int(ctl.ping.Milliseconds()),
				})
			})
		}
	})
	c.Attach(s.member)
	return s, nil
}

// Receive handles a valid message of the client.
func (s *session) Receive(msg codec.Client) {
	if !s.mayWrite {
		s.refuse(&codec.Error{Code: refusal.Forbidden, Message: "this connection may read here, not write", Key: msg.Key})
		return
	}
	if msg.Type == codec.TypeTyping {
		s.member.Typing()
		return
	}
	var key string
	var done func(codec.Receipt)
	if msg.Key != "" {
		key = keyScope(s.identity, s.member.Username(), msg.Key)
		if s.control {
			done = s.acknowledge(msg.Key)
		}
	}
	if _, err := s.member.Publish(msg.Content, key, done); err != nil {
		e := s.ctl.notTaken(s.member.Username(), err)
		s.refuse(&codec.Error{Code: e.Code, Message: e.Message, Key: msg.Key})
	}
}

// acknowledge returns what sends the ack for key once the message is settled.
func (s *session) acknowledge(key string) func(codec.Receipt) {
	return func(r codec.Receipt) {
		s.send(func(dst []byte) []byte {
			return codec.AppendAck(dst, s.format, &codec.Ack{Key: key, ID: r.ID, Durable: r.Durable})
		})
	}
}

// Reject answers a message that is not valid. The connection stays open.
func (s *session) Reject(err error) {
	e, ok := err.(*codec.Error)
	if !ok {
		e = &codec.Error{Code: refusal.InvalidMessage, Message: err.Error()}
	}
	s.refuse(e)
}

func (s *session) refuse(e *codec.Error) {
	s.send(func(dst []byte) []byte { return codec.AppendError(dst, s.format, e) })
}

// send sends one frame to this client alone.
func (s *session) send(encode func(dst []byte) []byte) {
	var buf [512]byte
	// A connection that is closing takes no more, and needs none.
	_ = s.conn.SendPayload(s.format == codec.MsgPack, encode(buf[:0]))
}

// Closed leaves the room.
func (s *session) Closed(error) { s.member.Leave() }
