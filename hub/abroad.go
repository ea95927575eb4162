package hub

import (
	"sync"

	"edgechat/codec"
)

// Abroad are the members of other hubs, which serve the same rooms on other machines. They are told by Abroad, and are counted and
// listed as those who are here. Its lock is taken last.
type abroad struct {
	mu    sync.Mutex
	rooms map[string]map[present]*codec.Member
}

// A present is who is somewhere: one name may be that of several, of whom some are verified.
type present struct {
	name     string
	verified bool
}

// Abroad tells those who are in a room what another hub has announced in it: somebody who joined or left there, or is typing.
//
// To note it and to tell it is one step for who joins meanwhile: the room stays the live one as long as its stripe is locked.
func (h *Hub) Abroad(roomName string, e *codec.Event) {
	s := h.stripe(roomName)
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.rooms[roomName]
	if r == nil {
		h.abroad.note(roomName, e)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	h.abroad.note(roomName, e)
	r.hearLocked(e)
}

// Empty reports whether nobody is in any room of this hub, announced or not.
func (h *Hub) Empty() bool {
	for i := range h.stripes {
		s := &h.stripes[i]
		s.mu.Lock()
		n := len(s.rooms)
		s.mu.Unlock()
		if n > 0 {
			return false
		}
	}
	return true
}

func (a *abroad) note(roomName string, e *codec.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	who := present{e.Username, e.Verified}
	room := a.rooms[roomName]
	switch m := room[who]; {
	case e.Type == codec.TypeJoined && m != nil:
		m.Connections++
		m.Since = min(m.Since, e.Time)
	case e.Type == codec.TypeJoined:
		if room == nil {
			if room = make(map[present]*codec.Member); a.rooms == nil {
				a.rooms = make(map[string]map[present]*codec.Member)
			}
			a.rooms[roomName] = room
		}
		room[who] = &codec.Member{Username: e.Username, Verified: e.Verified, Connections: 1, Since: e.Time}
	case e.Type == codec.TypeLeft && m != nil:
		if m.Connections--; m.Connections > 0 {
			return
		}
		if delete(room, who); len(room) == 0 {
			delete(a.rooms, roomName)
		}
	}
}

// count returns how many connections there are in a room.
func (a *abroad) count(roomName string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.rooms[roomName] {
		n += m.Connections
	}
	return n
}

// members returns those of a room, in no order.
func (a *abroad) members(roomName string) (list []codec.Member) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.rooms[roomName] {
		list = append(list, *m)
	}
	return list
}

// counts returns how many connections there are, by room.
func (a *abroad) counts() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	counts := make(map[string]int, len(a.rooms))
	for name, room := range a.rooms {
		for _, m := range room {
			counts[name] += m.Connections
		}
	}
	return counts
}
