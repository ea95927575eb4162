package hub

import (
	"slices"
	"time"

	"edgechat/codec"
	"edgechat/refusal"
)

// cut has the room go on behind head, which may be before what its members have. They all leave, and their connections
// are closed: who comes back with his cursor is told where it stands. Nobody who joins after it sees
// anything of before.
func (r *room) cut(head codec.ID) {
	r.mu.Lock()
	r.cuts++
	r.head = head
	members := slices.Clone(r.members)
	for _, m := range members {
		m.goLocked()
		if !m.quiet {
			r.tellLocked(&codec.Event{Type: codec.TypeLeft, Username: m.username, Verified: m.verified, Time: time.Now().UnixMilli()})
		}
	}
	r.toldLocked()
	r.mu.Unlock()
	r.hub.stats.cut.Add(uint64(len(members)))
	for _, m := range members {
		m.conn.Close(refusal.CloseServiceRestart, "the newest messages of the room were lost: come back and continue from the last message seen")
		r.hub.release(r)
	}
}
