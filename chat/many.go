package chat

import (
	"maps"
	"slices"
	"strings"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/moderation"
	"edgechat/refusal"
	"edgechat/ws"
)

// A many is one client in any number of rooms, each of which it joins and leaves by a
// frame. Every frame of a room has its name.
type many struct {
	client
	username string
	at       int32            // among the occupants
	seats    map[string]*seat // by room; those that have ended go with the next join
}

// ofJoins are parameters that belong into a join rather than the address of GET /chat.
var ofJoins = []string{"room", "since", "before", "limit", "announce"}

// checkMany is the last guard of GET /chat.
func (ctl *Controller) checkMany(r *ws.Request) error {
	if !offers(r, protocolJSON) && !offers(r, protocolMsgPack) {
		return refusal.Errorf(refusal.BadHandshake, "a subprotocol is needed here: offer %s or %s; /chat/room/NAME does without", protocolJSON, protocolMsgPack)
	}
	for _, name := range ofJoins {
		if r.Query().Has(name) {
			return refusal.Errorf(refusal.InvalidQuery, `%s has no place in this address: send {"type":"join",...} once you are connected`, name)
		}
	}
	return nil
}

// offers reports whether the client offers this subprotocol.
func offers(r *ws.Request, protocol string) bool {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for offer := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(offer) == protocol {
				return true
			}
		}
	}
	return false
}

// openMany welcomes a client that is in no room yet.
func (ctl *Controller) openMany(c *ws.Conn[codec.Client]) (ws.Session[codec.Client], error) {
	s := &many{client: ctl.newClient(c, codec.JSON), seats: make(map[string]*seat)}
	var err error
	if s.username, err = username(s.identity, c.Request().Query().Get("username")); err != nil {
		return nil, err // checkUsername let it through
	}
	s.send(func(dst []byte) []byte {
		return codec.AppendWelcome(dst, s.format, &codec.Welcome{
			Username: s.username, Verified: !s.identity.Anonymous, MaxContent: ctl.cfg.MaxContent,
			MaxRooms: max(ctl.cfg.RoomsPerConnection, 0), PingInterval: int(ctl.ping.Milliseconds()), Nodes: ctl.cfg.Elsewhere(),
		})
	})
	s.enter(s)
	return s, nil
}

// Receive handles a valid message of the client.
func (s *many) Receive(msg codec.Client) {
	problem := s.count(msg)
	if problem == nil {
		problem = s.handle(msg)
	}
	if problem != nil {
		problem.Room = msg.Room
		s.refuse(problem)
	}
}

func (s *many) handle(msg codec.Client) *codec.Error {
	switch msg.Type {
	case codec.TypePing:
		s.pong()
		return nil
	case codec.TypeJoin:
		return s.join(msg)
	}
	if msg.Room == "" {
		return &codec.Error{Code: refusal.InvalidMessage, Key: msg.Key, Message: "room is missing: on this connection each frame names its room"}
	}
	seat := s.seats[msg.Room]
	if msg.Type == codec.TypeLeave {
		if seat == nil || !seat.leave() {
			return notJoined(msg)
		}
		return nil
	}
	switch {
	case seat == nil || !seat.isOpen():
		return notJoined(msg)
	case !seat.mayWrite:
		return mayNotWrite(msg)
	}
	if no := s.ruledOut(seat.room, s.username, msg); no != nil {
		return no
	}
	if msg.Type == codec.TypeTyping {
		seat.member.Typing()
		return nil
	}
	return seat.say(msg)
}

// notJoined answers a frame of a room that the client is not in. Nor is it before subscribed: what
// comes of a room then would come before its first frame.
func notJoined(msg codec.Client) *codec.Error {
	return &codec.Error{Code: refusal.NotJoined, Message: "you are not in this room: join it, and wait for subscribed", Key: msg.Key}
}

// join takes a seat in one more room.
func (s *many) join(msg codec.Client) *codec.Error {
	refused := func(code refusal.Code, message string) *codec.Error {
		return &codec.Error{Code: code, Message: message, Key: msg.Key}
	}
	maps.DeleteFunc(s.seats, func(_ string, seat *seat) bool { return seat.hasEnded() })
	ctl := s.ctl
	most := ctl.cfg.RoomsPerConnection
	switch {
	case s.seats[msg.Room] != nil:
		return refused(refusal.AlreadyJoined, "you are in this room, or not out of it before unsubscribed")
	case !s.identity.May(auth.Read, msg.Room):
		return refused(refusal.Forbidden, denied(s.identity, auth.Read, msg.Room))
	case most > 0 && len(s.seats) >= most:
		ctl.tooManyRooms.Add(1)
		return refused(refusal.TooManyRooms, "this connection is in as many rooms as it may be: leave one, or open another connection")
	}
	if !ctl.rules.None() {
		if no := ctl.rules.Enter(msg.Room, s.who(msg.Room)); no != nil {
			e := refused(no.Code, no.Text)
			e.RetryAfter = no.Wait
			return e
		}
	}
	if over := ctl.limits.join(s.source, ctl.known(msg.Room)); over != nil {
		return over.frame(msg)
	}
	seat := &seat{many: s, room: msg.Room, at: gone, mayWrite: s.identity.May(auth.Write, msg.Room)}
	s.seats[msg.Room] = seat
	join := hub.Join{
		Username: s.username, Verified: !s.identity.Anonymous, Format: hubFormat(s.format, true), Quiet: msg.Join.Quiet,
		Replay: msg.Join.Replay, Limit: ctl.cfg.ReplayLimit,
	}
	if msg.Join.Since != (codec.ID{}) {
		join.Since = &msg.Join.Since
	}
	if msg.Join.Limit > 0 {
		join.Limit = min(msg.Join.Limit, join.Limit)
	}
	ctl.here.add(seat) // before it is told that it is there: moderators may be as quick
	m := ctl.cfg.Hub.Join(msg.Room, s.conn, join, func(joined hub.Joined, err error) { seat.ready(join.Since, joined, err) })
	if seat.hasEnded() { // there is no place in the room
		ctl.here.remove(seat)
		delete(s.seats, msg.Room)
		full := roomFull(msg.Room)
		return refused(full.Code, full.Message)
	}
	if no := seat.sit(m); no != nil {
		seat.expel(no)
	} else {
		s.recheck(seat)
	}
	return nil
}

// Reject answers a message that is not valid. The connection stays open.
func (s *many) Reject(err error) { s.reject(asError(err)) }

// Closed leaves all rooms.
func (s *many) Closed(error) {
	s.ctl.here.remove(s)
	for _, seat := range slices.Collect(maps.Values(s.seats)) {
		s.ctl.here.remove(seat)
		seat.member.Leave()
	}
}

func (s *many) place() *int32 { return &s.at }

func (s *many) who(room string) moderation.Who {
	return whoIs(s.identity, s.username, room, s.source, s.low)
}
func (s *many) in() string                   { return "" }
func (s *many) connection() bool             { return true }
func (s *many) expel(no *moderation.Refusal) { s.cut(s, no) }
