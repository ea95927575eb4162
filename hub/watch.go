package hub

import "edgechat/codec"

// A RoomState is how a live room is, for who looks after the server.
type RoomState struct {
	Name      string
	Members   int // without the quiet ones
	Quiet     int
	Head      codec.ID // the newest message
	Delivered uint64   // messages that members have taken since somebody is there
	Behind    int      // members that have not been written all there is
	Slowed    bool     // who publishes waits for those who read
	Bytes     int      // of frames that are held for those who are behind
}

// States returns how all live rooms are, in no order.
func (h *Hub) States() []RoomState {
	live := h.live()
	states := make([]RoomState, 0, len(live))
	for _, r := range live {
		states = append(states, r.watch())
	}
	return states
}

// State returns how a room is; false if it is not live.
func (h *Hub) State(roomName string) (RoomState, bool) {
	r := h.find(roomName)
	if r == nil {
		return RoomState{}, false
	}
	return r.watch(), true
}

func (r *room) watch() RoomState {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := RoomState{
		Name: r.name, Members: len(r.members) - r.quiet, Quiet: r.quiet, Head: r.head, Delivered: r.delivered, Slowed: r.gate.shut.Load(),
	}
	for _, l := range r.logs {
		if l != nil {
			s.Bytes += l.size
		}
	}
	for _, m := range r.members {
		if m.catchup != nil || m.opening != nil || m.pos != r.logs[m.format].top {
			s.Behind++
		}
	}
	return s
}
