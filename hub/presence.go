package hub

import (
	"cmp"
	"slices"

	"edgechat/codec"
)

// Members returns who is in a room, by name, those first whose name is verified, with how many connections and
// since when; nothing for a room that is not live. Quiet members are not among them.
func (h *Hub) Members(roomName string) []codec.Member {
	r := h.find(roomName)
	if r == nil {
		return nil
	}
	type key struct {
		name     string
		verified bool
	}
	byName := make(map[key]*codec.Member)
	r.mu.Lock()
	for _, m := range r.members {
		if m.quiet {
			continue
		}
		if who := byName[key{m.username, m.verified}]; who == nil {
			byName[key{m.username, m.verified}] = &codec.Member{Username: m.username, Verified: m.verified, Connections: 1, Since: m.since}
		} else {
			who.Connections++
			who.Since = min(who.Since, m.since)
		}
	}
	r.mu.Unlock()
	members := make([]codec.Member, 0, len(byName))
	for _, m := range byName {
		members = append(members, *m)
	}
	slices.SortFunc(members, func(a, b codec.Member) int {
		if a.Username == b.Username { // one of them is
			if a.Verified {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.Username, b.Username)
	})
	return members
}

// Rooms returns the live rooms by name, without those that have quiet members alone.
func (h *Hub) Rooms() []codec.Room {
	live := h.live()
	rooms := make([]codec.Room, 0, len(live))
	for _, r := range live {
		r.mu.Lock()
		room := codec.Room{Name: r.name, Members: len(r.members) - r.quiet, ID: r.head}
		r.mu.Unlock()
		if room.Members > 0 { // it may be about to end, or have quiet ones alone
			rooms = append(rooms, room)
		}
	}
	slices.SortFunc(rooms, func(a, b codec.Room) int { return cmp.Compare(a.Name, b.Name) })
	return rooms
}
