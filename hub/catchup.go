package hub

import (
	"sync"

	"edgechat/codec"
	"edgechat/refusal"
)

const (
	// pageBytes bounds the frames that are made for a member that is behind
	// before it has taken those that it has, in bytes.
	pageBytes = 64 << 10
	// pageMessages is how many messages are read from the Log at a time.
	pageMessages = 64
	// maxLoaders is how many pages are read from the Log at once: one disk,
	// and the rest of a storm waits its turn.
	maxLoaders = 4
)

// loaders read the next page for members that are behind.
type loaders struct {
	mu      sync.Mutex
	queue   []*Member
	running int
}

// ask has the next page of m read. It takes no lock of a room and does not
// block.
func (h *Hub) ask(m *Member) {
	l := &h.loaders
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, m)
	if l.running < maxLoaders {
		l.running++
		h.wg.Go(h.loader)
	}
}

// loader works until the queue is empty.
func (h *Hub) loader() {
	l := &h.loaders
	for {
		l.mu.Lock()
		if len(l.queue) == 0 {
			l.queue = nil
			l.running--
			l.mu.Unlock()
			return
		}
		m := l.queue[0]
		l.queue[0] = nil
		l.queue = l.queue[1:]
		l.mu.Unlock()
		h.loadPage(m)
	}
}

// loadPage reads what comes after m.last, up to m.target.
func (h *Hub) loadPage(m *Member) {
	r := m.room
	r.mu.Lock()
	after := codec.ID{Epoch: r.head.Epoch, Offset: m.last}
	target := m.target
	r.mu.Unlock()
	page, err := h.cfg.Log.Read(r.name, codec.Query{After: &after, Limit: pageMessages})
	if err != nil || !page.Recovered {
		// What it missed is gone. It may come back with its cursor, and is
		// told so then: never a silent gap.
		if err != nil {
			h.cfg.Logger.Error("replay failed", "room", r.name, "user", m.username, "err", err)
		}
		h.stats.lost.Add(1)
		m.conn.Close(refusal.CloseTryAgainLater, "too far behind: come back and continue from the last message seen")
		return
	}
	frames, upto := h.encode(m.format, page.Messages, target)
	r.mu.Lock()
	m.asked = false
	if len(frames) > 0 {
		m.page, m.upto = frames, upto
	} else {
		m.caughtUpLocked(target)
	}
	r.mu.Unlock()
	m.conn.Flush()
}

// encode makes the frames of messages up to offset target, as many as a page
// may hold. upto is the offset of the last.
func (h *Hub) encode(format int, messages []codec.Message, target uint64) (frames []byte, upto uint64) {
	for i := range messages {
		m := &messages[i]
		if m.ID.Offset > target || len(frames) > pageBytes {
			break
		}
		frames = h.cfg.Formats[format].Message(frames, m)
		upto = m.ID.Offset
	}
	return frames, upto
}
