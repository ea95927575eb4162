package server

import (
	"fmt"
	"slices"

	"edgechat/admin"
	"edgechat/codec"
)

// How what is stored of rooms under names of another form is reached again. Two of them may have become one, which is not done behind anybody's back.
const oldRoomsHint = "stop the server, then: edgechat export > all.ndjson, move edgechat.db and edgechat.db-wal out of the folder of --data, edgechat import all.ndjson; it says what has no place, since two rooms became one"

// findOldRooms looks for rooms that were stored before names had one form: nobody can name them any more.
func (s *Server) findOldRooms() {
	for _, name := range s.history().RoomNames() {
		if form, err := codec.CleanRoom(name); err != nil || form != name {
			s.oldRooms = append(s.oldRooms, name)
		}
	}
	if len(s.oldRooms) == 0 {
		return
	}
	slices.Sort(s.oldRooms)
	s.log.Warn("rooms of another form", "rooms", len(s.oldRooms), "first", fmt.Sprintf("%+q", s.oldRooms[0]), "hint", oldRoomsHint)
}

// oldRoomProblems says that there are such.
func (s *Server) oldRoomProblems() []admin.Problem {
	if len(s.oldRooms) == 0 {
		return nil
	}
	return []admin.Problem{{Code: "rooms", Hint: oldRoomsHint,
		Message: fmt.Sprintf("%d rooms were stored under names that are written otherwise now, and are not reachable: %+q", len(s.oldRooms), s.oldRooms[:min(len(s.oldRooms), 8)])}}
}
