package chat

import (
	"errors"
	"fmt"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/refusal"
	"edgechat/ws"
)

// roomKey is where checkRoom leaves the name of a room that was spelled in another form.
type roomKey struct{}

// roomOf returns the room of a route with ":roomId", as checkRoom let it through.
func roomOf(r *ws.Request) string {
	if form, ok := r.Value(roomKey{}).(string); ok {
		return form
	}
	return r.Param("roomId")
}

// checkRoom is a guard: the path names a room.
func checkRoom(r *ws.Request) error {
	name := r.Param("roomId")
	form, err := codec.CleanRoom(name)
	if err == nil && form != name {
		r.Set(roomKey{}, form)
	}
	return err
}

// identityKey is where guards leave the caller's *auth.Identity.
type identityKey struct{}

func identityOf(r *ws.Request) *auth.Identity { return r.Value(identityKey{}).(*auth.Identity) }

// identify is a guard: who the caller is can be told, and is somebody.
func (ctl *Controller) identify(r *ws.Request) error {
	l := ctl.limits
	if wait := l.failures.Wait(r.Source(), 1); wait > 0 {
		// Whether one more would be right is not looked at.
		if _, has, err := auth.FromRequest(r.Request); has || err != nil {
			return tooFast("tokens that are not valid from this address", l.Failures, wait, &l.counts.failures).answer()
		}
	}
	id, err := ctl.cfg.Auth.Identify(r.Request)
	switch {
	case err == nil:
		r.Set(identityKey{}, id)
		return nil
	case errors.Is(err, auth.ErrRequest):
		return refusal.Errorf(refusal.InvalidQuery, "%v", err)
	case errors.Is(err, auth.ErrExpired):
		l.failures.Take(r.Source(), 1)
		return challenge(`Bearer realm="edgechat", error="invalid_token"`, "the token has expired: get another")
	case errors.Is(err, auth.ErrBadToken):
		l.failures.Take(r.Source(), 1)
		if e, ok := errors.AsType[*auth.ClaimError](err); ok {
			return challenge(`Bearer realm="edgechat", error="invalid_token"`, "the token is not valid: "+e.Why)
		}
		return challenge(`Bearer realm="edgechat", error="invalid_token"`, "the token is not valid: it may have been revoked, or copied in part")
	default:
		return challenge(`Bearer realm="edgechat"`, "a token is needed: "+sendIt)
	}
}

// lostToken answers a request whose token is lost while it is under way.
func lostToken(why string) error {
	return challenge(`Bearer realm="edgechat", error="invalid_token"`, why)
}

// sendIt says how a token is sent.
const sendIt = "send it as \"Authorization: Bearer TOKEN\", as a subprotocol bearer.TOKEN or as ?token=TOKEN"

// challenge is a 401 (RFC 6750 section 3).
func challenge(header, message string) error {
	return refusal.New(refusal.Unauthorized, message).With("WWW-Authenticate", header)
}

// require is a guard: the caller may do this in the room of the path.
func (ctl *Controller) require(access auth.Access) ws.Guard {
	return func(r *ws.Request) error {
		if err := ctl.identify(r); err != nil {
			return err
		}
		switch id := identityOf(r); {
		case id.May(access, roomOf(r)):
			return nil
		case id.Anonymous: // a token would help
			return challenge(`Bearer realm="edgechat"`, denied(id, access, roomOf(r)))
		default:
			return refusal.New(refusal.Forbidden, denied(id, access, roomOf(r)))
		}
	}
}

// denied says why id may not do this in room.
func denied(id *auth.Identity, access auth.Access, room string) string {
	if id.Anonymous {
		return "a token is needed to " + access.String() + " here: " + sendIt
	}
	return fmt.Sprintf("%s may not %s in room %q", id.Name, access, room)
}

// nameless is the name of who has none.
const nameless = "Anonymous"

// username returns the name under which a caller speaks: the identity's, else
// the one that was asked for, else nameless.
func username(id *auth.Identity, wanted string) (string, error) {
	switch {
	case !id.Anonymous:
		return id.Name, nil
	case wanted == "":
		wanted = nameless
	}
	name, err := codec.CleanUsername(wanted)
	if err == nil && id.Taken(name) {
		return "", refusal.Errorf(refusal.NameTaken, "the name %q is kept for somebody who has a token, or looks like such a name; take another, or come with the token", name)
	}
	return name, err
}

// checkUsername is a guard: a name in the query can be had. It comes after those that find
// out who the caller is. A browser does not learn why a handshake was refused, and asks
// the other routes of the room: they have to say the same.
func checkUsername(r *ws.Request) error {
	_, err := username(identityOf(r), r.Query().Get("username"))
	return err
}

// keyScope makes an idempotency key the caller's own. Callers without an
// identity share one only with those of the same name, and those without a name only
// for the same content: who sent it cannot be told.
func keyScope(id *auth.Identity, username, key, content string) string {
	switch {
	case !id.Anonymous:
		return id.Owner() + "\x00" + key
	case username == nameless:
		return "a\x00" + username + "\x00" + key + "\x00" + content
	}
	return "a\x00" + username + "\x00" + key
}
