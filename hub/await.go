package hub

import (
	"context"

	"edgechat/codec"
)

// Await returns once room has a message behind offset after.Offset, at once if it has, or else the cause of ctx when that ends. Whoever
// waits is no member, and holds up nobody. It costs a room one channel, however many wait.
func (h *Hub) Await(ctx context.Context, roomName string, after codec.ID) error {
	r := h.acquire(roomName)
	defer h.release(r)
	r.mu.Lock()
	if r.head.Offset > after.Offset {
		r.mu.Unlock()
		return nil
	}
	if r.news == nil {
		r.news = make(chan struct{})
	}
	news := r.news
	r.mu.Unlock()
	select {
	case <-news:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// toldLocked tells who waits that there is a message.
func (r *room) toldLocked() {
	if r.news != nil {
		close(r.news)
		r.news = nil
	}
}
