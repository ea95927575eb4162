package hub

import (
	"hash/maphash"
	"sync"
)

// A stripe is the rooms whose names hash to it.
type stripe struct {
	mu    sync.Mutex
	rooms map[string]*room
}

func (h *Hub) stripe(name string) *stripe {
	return &h.stripes[maphash.String(h.seed, name)&(stripes-1)]
}

// find returns the room if it is live, or nil.
func (h *Hub) find(name string) *room {
	s := h.stripe(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rooms[name]
}

// acquire returns the room, made if need be, and keeps it until release.
func (h *Hub) acquire(name string) *room {
	s := h.stripe(name)
	s.mu.Lock()
	r := s.rooms[name]
	if r == nil {
		r = newRoom(h, name)
		s.rooms[r.name] = r // a copy: name may be a part of a whole request
	}
	r.refs++
	s.mu.Unlock()
	r.load.Do(r.loadHead)
	return r
}

// release lets the room go; the last one out removes it. Whoever joins at that
// moment has either counted itself before, or makes a new room.
func (h *Hub) release(r *room) {
	s := h.stripe(r.name)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.refs--; r.refs == 0 {
		delete(s.rooms, r.name)
	}
}

// live returns every room there is.
func (h *Hub) live() (rooms []*room) {
	for i := range h.stripes {
		s := &h.stripes[i]
		s.mu.Lock()
		for _, r := range s.rooms {
			rooms = append(rooms, r)
		}
		s.mu.Unlock()
	}
	return rooms
}
