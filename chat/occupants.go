package chat

import (
	"sync"

	"edgechat/auth"
	"edgechat/limit"
	"edgechat/moderation"
	"edgechat/ws"
)

// An occupant is what moderators, and whoever takes a token back, may end: a connection, or the place of one in a room. A session is both.
type occupant interface {
	place() *int32
	who(room string) moderation.Who // as rules of that room see it; "" is the server as such
	in() string                     // the room; "" for a connection that may be in several
	connection() bool               // if it ends, a connection does
	bearer() *auth.Identity         // whose it is
	expel(no *moderation.Refusal)   // ends it, from any goroutine; more than once does nothing
}

// occupants are all there are. Each knows its own place.
type occupants struct {
	mu   sync.Mutex
	list []occupant
}

// gone is the place of one that is not there, or not any more.
const gone = -1

func (o *occupants) add(x occupant) {
	o.mu.Lock()
	defer o.mu.Unlock()
	*x.place() = int32(len(o.list))
	o.list = append(o.list, x)
}

// remove takes x out, if it is there.
func (o *occupants) remove(x occupant) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := *x.place()
	if at == gone {
		return
	}
	last := len(o.list) - 1
	moved := o.list[last]
	o.list[at] = moved
	*moved.place() = at
	o.list[last] = nil
	o.list = o.list[:last]
	*x.place() = gone
}

// find returns those that a rule of room would end, "" for all rooms, if it is about them.
func (o *occupants) find(room string, about func(moderation.Who) bool) (found []occupant) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, x := range o.list {
		switch {
		case room == "" && !x.connection(), room != "" && x.in() != room:
		case about(x.who(room)):
			found = append(found, x)
		}
	}
	return found
}

// whoIs is somebody as rules of room see him.
func whoIs(id *auth.Identity, name, room string, source limit.Addr, low uint64) moderation.Who {
	w := moderation.Who{Name: name, Address: source.IP(low), Moderator: moderates(id, room)}
	if !id.Anonymous {
		w.Identity = id.Name
	}
	return w
}

// moderates reports whether rules about all, and by name and address, do not hold for id. Where no room is named yet that is
// who moderates any: each room is looked at when it is joined.
func moderates(id *auth.Identity, room string) bool {
	if room == "" {
		return !id.Anonymous && id.Access >= auth.Moderate
	}
	return id.May(auth.Moderate, room)
}

// caller is who sends a request, under a name.
func caller(r *ws.Request, name, room string) moderation.Who {
	return whoIs(identityOf(r), name, room, r.Source(), limit.Low(r.Client()))
}
