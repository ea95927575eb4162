package chat

import (
	"edgechat/auth"
	"edgechat/codec"
	"edgechat/moderation"
	"edgechat/refusal"
	"edgechat/ws"
)

// checkEntry is a guard: no rule keeps the caller out of the room of the path, or of the server. It comes behind those that find
// out who he is.
func (ctl *Controller) checkEntry(r *ws.Request) error {
	if ctl.rules.None() {
		return nil
	}
	name, err := username(identityOf(r), r.Query().Get("username"))
	if err != nil {
		return err
	}
	if no := ctl.rules.Enter(roomOf(r), caller(r, name, roomOf(r))); no != nil {
		return refused(no)
	}
	return nil
}

// checkWrite says if the caller of a request, who has said by now under which name, may write, and send a message if it is one.
func (ctl *Controller) checkWrite(r *ws.Request, name string, message bool) error {
	if ctl.rules.None() {
		return nil
	}
	room := roomOf(r)
	w := caller(r, name, room)
	no := ctl.rules.Enter(room, w) // the name may be another than in the query
	if no == nil {
		no = ctl.rules.Write(room, w)
	}
	if no == nil && message {
		no = ctl.rules.Pace(room, w)
	}
	if no != nil {
		return refused(no)
	}
	return nil
}

// standing is what subscribed says of somebody in room: what he may do there, and the code of the rule by which a message of his would be
// refused now, "" if there is none.
func (ctl *Controller) standing(id *auth.Identity, w moderation.Who, room string) (access, refused string) {
	switch {
	case w.Moderator:
		access = auth.Moderate.String()
	case id.May(auth.Write, room):
		access = auth.Write.String()
	default:
		access = auth.Read.String()
	}
	return access, string(ctl.rules.Refusing(room, w))
}

// refused is what a request is told.
func refused(no *moderation.Refusal) *refusal.Error {
	e := refusal.New(no.Code, no.Text)
	if no.Wait > 0 {
		e.After(no.Wait)
	}
	return e
}

// ruledOut says why rules do not let the client do in room what msg asks for, nil if they do.
func (c *client) ruledOut(room, name string, msg codec.Client) *codec.Error {
	if c.ctl.rules.None() {
		return nil
	}
	w := whoIs(c.identity, name, room, c.source, c.low)
	no := c.ctl.rules.Write(room, w)
	if no == nil && msg.Type == codec.TypeMessage {
		no = c.ctl.rules.Pace(room, w)
	}
	if no == nil {
		return nil
	}
	return &codec.Error{Code: no.Code, Message: no.Text, Key: msg.Key, RetryAfter: no.Wait}
}
