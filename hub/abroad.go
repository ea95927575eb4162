package hub

import (
	"sync"

	"edgechat/codec"
)

// Abroad are the members of other hubs, which serve the same rooms on other machines. They are told by Abroad, and are counted and
// listed as those who are here. Its lock is taken last.
type abroad struct {
	mu    sync.Mutex
	rooms map[string]*elsewhere // in which somebody is
}

// An elsewhere is who is in a room there.
type elsewhere struct {
	members     map[present]*codec.Member
	connections int // of all of them
	moves       int // how often somebody came or went

	all, here []codec.Member // who is in the room, there and here, as it was with these here; nil if it is not made
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
	room, who := a.rooms[roomName], present{e.Username, e.Verified}
	switch e.Type {
	case codec.TypeJoined:
		if room == nil {
			if room = (&elsewhere{members: make(map[present]*codec.Member)}); a.rooms == nil {
				a.rooms = make(map[string]*elsewhere)
			}
			a.rooms[roomName] = room
		}
		m := room.members[who]
		if m == nil {
			m = &codec.Member{Username: e.Username, Verified: e.Verified, Since: e.Time}
			room.members[who] = m
		}
		m.Connections++
		m.Since = min(m.Since, e.Time)
		room.connections++
	case codec.TypeLeft:
		if room == nil || room.members[who] == nil {
			return
		}
		room.connections--
		if m := room.members[who]; m.Connections > 1 {
			m.Connections--
		} else if delete(room.members, who); len(room.members) == 0 {
			delete(a.rooms, roomName)
		}
	default:
		return
	}
	room.moves++
	room.all, room.here = nil, nil
}

// count returns how many connections there are in a room.
func (a *abroad) count(roomName string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if room := a.rooms[roomName]; room != nil {
		return room.connections
	}
	return 0
}

// with returns who is in a room, there and here, once for all who ask before anyone comes or goes; the list of who is here is never changed.
func (a *abroad) with(roomName string, here []codec.Member) []codec.Member {
	a.mu.Lock()
	room := a.rooms[roomName]
	if room == nil {
		a.mu.Unlock()
		return here
	}
	if room.all != nil && same(room.here, here) {
		defer a.mu.Unlock()
		return room.all
	}
	moves, list := room.moves, make([]codec.Member, 0, len(room.members)+len(here))
	for _, m := range room.members {
		list = append(list, *m)
	}
	a.mu.Unlock()
	all := gather(append(list, here...))
	a.mu.Lock()
	defer a.mu.Unlock()
	if room.moves == moves {
		room.all, room.here = all, here
	}
	return all
}

// same reports whether two lists are one, or both empty.
func same(a, b []codec.Member) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// counts returns how many connections there are, by room.
func (a *abroad) counts() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	counts := make(map[string]int, len(a.rooms))
	for name, room := range a.rooms {
		counts[name] = room.connections
	}
	return counts
}
