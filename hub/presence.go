package hub

import (
	"cmp"
	"slices"

	"edgechat/codec"
)

// Members returns who is in a room, here and elsewhere, by name, those first whose name is verified, with how many connections and
// since when; nothing for a room in which nobody is. Quiet members are not among them. The list is
// made once for all who ask before anyone comes or goes, and is not to be changed.
func (h *Hub) Members(roomName string) []codec.Member {
	var here []codec.Member
	if r := h.find(roomName); r != nil {
		here = r.list()
	}
	return h.abroad.with(roomName, here)
}

// list returns who is here.
func (r *room) list() []codec.Member {
	r.mu.Lock()
	if list := r.listed; list != nil {
		r.mu.Unlock()
		return list
	}
	moves, here := r.moves, make([]codec.Member, 0, len(r.members)-r.quiet)
	for _, m := range r.members {
		if !m.quiet {
			here = append(here, codec.Member{Username: m.username, Verified: m.verified, Connections: 1, Since: m.since})
		}
	}
	r.mu.Unlock()
	members := gather(here)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.moves == moves {
		r.listed = members
	}
	return members
}

// gather sorts a list, and makes one of those who have the same name.
func gather(list []codec.Member) []codec.Member {
	slices.SortFunc(list, func(a, b codec.Member) int {
		if a.Username == b.Username && a.Verified != b.Verified {
			if a.Verified {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Username, b.Username)
	})
	members := list[:0]
	for _, m := range list {
		if last := len(members) - 1; last >= 0 && members[last].Username == m.Username && members[last].Verified == m.Verified {
			members[last].Connections += m.Connections
			members[last].Since = min(members[last].Since, m.Since)
		} else {
			members = append(members, m)
		}
	}
	return members
}

// Rooms returns the rooms in which somebody is, here or elsewhere, by name, without those that have quiet members alone.
func (h *Hub) Rooms() []codec.Room {
	live, elsewhere := h.live(), h.abroad.counts()
	rooms := make([]codec.Room, 0, len(live)+len(elsewhere))
	for _, r := range live {
		r.mu.Lock()
		room := codec.Room{Name: r.name, Members: len(r.members) - r.quiet, ID: r.head}
		r.mu.Unlock()
		room.Members += elsewhere[r.name]
		delete(elsewhere, r.name)
		if room.Members > 0 { // it may be about to end, or have quiet ones alone
			rooms = append(rooms, room)
		}
	}
	for name, n := range elsewhere {
		rooms = append(rooms, codec.Room{Name: name, Members: n, ID: h.cfg.Log.Head(name)})
	}
	slices.SortFunc(rooms, func(a, b codec.Room) int { return cmp.Compare(a.Name, b.Name) })
	return rooms
}
