package chat

import (
	"net/http"
	"slices"

	"edgechat/auth"
	"edgechat/codec"
	"edgechat/ws"
)

// getMembers answers with who is in a room.
func (ctl *Controller) getMembers(w http.ResponseWriter, r *ws.Request) error {
	body := codec.AppendMembers(nil, roomOf(r), ctl.cfg.Hub.Members(roomOf(r)))
	return answer(w, http.StatusOK, typeJSON, append(body, '\n'))
}

// getRooms answers with the live rooms that the caller may read.
func (ctl *Controller) getRooms(w http.ResponseWriter, r *ws.Request) error {
	id := identityOf(r)
	rooms := slices.DeleteFunc(ctl.cfg.Hub.Rooms(), func(room codec.Room) bool { return !id.May(auth.Read, room.Name) })
	return answer(w, http.StatusOK, typeJSON, append(codec.AppendRooms(nil, rooms), '\n'))
}
