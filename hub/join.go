package hub

import (
	"fmt"
	"strings"
	"time"

	"edgechat/codec"
)

// A Join says who wants to be in a room, and from where on.
type Join struct {
	Username string
	Format   int // index of Config.Formats
	// Replay asks for what is in the buffer: the newest Limit messages after Since, or of all
	// if Since is nil. Limit 0 is no limit. Without it Join does not wait for the disk.
	Replay bool
	Since  *codec.ID
	Limit  int
}

// Joined is where a new member stands.
type Joined struct {
	Member    *Member
	Head      codec.ID // newest message; what has a greater offset comes live
	Oldest    codec.ID // oldest message in the buffer; zero while that is empty
	Recovered bool     // nothing is missing between Join.Since and the first message
	Members   int      // in the room, the new one included
}

// Join puts a member into a room and announces it. Nothing is written until
// conn has Member as its stream. Replay and live messages meet without a gap
// or a duplicate: the cursor and the head are taken under one lock, messages up to
// the head come from the Log and those after it from the cursor.
func (h *Hub) Join(roomName string, conn Conn, join Join) (*Joined, error) {
	now := time.Now().UnixMilli()
	r := h.acquire(roomName)
	m := &Member{room: r, conn: conn, format: join.Format, username: strings.Clone(join.Username), since: now}
	r.hold()
	r.mu.Lock()
	r.addLocked(m)
	m.last = r.head.Offset
	joined := &Joined{Member: m, Head: r.head, Members: len(r.members)}
	r.announceLocked(&codec.Event{Type: codec.TypeJoined, Username: join.Username, Time: now})
	r.mu.Unlock()
	r.unhold(conn)
	h.stats.joins.Add(1)

	if !join.Replay {
		joined.Oldest, joined.Recovered = h.cfg.Log.Oldest(roomName), join.Since == nil
		return joined, nil
	}
	page, err := h.cfg.Log.Read(roomName, codec.Query{After: join.Since, Limit: join.Limit, Newest: true})
	if err != nil {
		m.Leave()
		return nil, fmt.Errorf("hub: replay of room %q: %w", roomName, err)
	}
	joined.Oldest, joined.Recovered = page.Oldest, page.Recovered
	if frames, upto := h.encode(m.format, page.Messages, joined.Head.Offset); len(frames) > 0 {
		r.mu.Lock()
		m.page, m.upto = frames, upto
		m.behind, m.target = true, joined.Head.Offset
		r.mu.Unlock()
	}
	return joined, nil
}
