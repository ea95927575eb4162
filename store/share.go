package store

import (
	"container/heap"
	"slices"
)

// When the buffer is full by bytes, the room that takes the most gives its oldest message. That is
// fair in the sense of max-min: what a room wants less than its share of is left to it, and all
// who want more come out equal. So one that talks a lot, or is flooded, can
// take nothing from those that say little.
//
// shares are the rooms that have messages, a heap with the largest on top. To keep it in order with
// each message would cost as much as the message; so a room is moved when it has grown by an
// eighth, and is found to be smaller when it comes to the top. Guarded by trimMu.
type shares []*room

func (h shares) Len() int           { return len(h) }
func (h shares) Less(i, j int) bool { return h[i].share > h[j].share }
func (h shares) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].rank, h[j].rank = i, j
}
func (h *shares) Push(x any) {
	r := x.(*room)
	r.rank = len(*h)
	*h = append(*h, r)
}
func (h *shares) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return r
}

// largest returns the room that takes the most, by what is known.
func (h shares) largest() *room {
	if len(h) == 0 {
		return nil
	}
	return h[0]
}

// settle finds the place of a room. The caller holds its mutex, here and below.
func (h *shares) settle(r *room) {
	known := r.ranked && r.rank < len(*h) && (*h)[r.rank] == r
	r.ranked, r.share = true, r.bytes
	if known {
		heap.Fix(h, r.rank)
	} else {
		heap.Push(h, r)
	}
}

// leave takes a room out.
func (h *shares) leave(r *room) {
	if r.rank < len(*h) && (*h)[r.rank] == r {
		heap.Remove(h, r.rank)
	}
	r.ranked = false
}

// outgrown says that a room has to be ranked anew. shareSlack keeps small rooms from that.
func (r *room) outgrown() bool { return !r.ranked || r.bytes > r.share+r.share/8+shareSlack }

const shareSlack = 512

// rank finds the place of a room by what it takes.
func (s *Store) rank(r *room) {
	s.trimMu.Lock()
	defer s.trimMu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	s.rankRoom(r)
	if i := slices.Index(s.empty, r); i >= 0 && r.slots.len() > 0 {
		s.empty = slices.Delete(s.empty, i, i+1)
	}
}

// rankRoom is rank for who holds both locks, or has the store to himself.
func (s *Store) rankRoom(r *room) {
	if !r.gone.Load() && r.slots.len() > 0 {
		s.shares.settle(r)
	}
}

// A silence is a room and its newest sequence when that was looked at, which can only have grown
// since.
type silence struct {
	seq  uint64
	room *room
}

// silences is a heap with the room on top that has been silent longest. Its entries are put
// right when they come to the top. Guarded by trimMu.
type silences []silence

func (h silences) Len() int           { return len(h) }
func (h silences) Less(i, j int) bool { return h[i].seq < h[j].seq }
func (h silences) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *silences) Push(x any)        { *h = append(*h, x.(silence)) }
func (h *silences) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = silence{}
	*h = (*h)[:last]
	return x
}

// prune drops those that were forgotten, once they are more than half.
func (h *silences) prune(rooms int) {
	if len(*h) <= 2*rooms+64 {
		return
	}
	*h = slices.DeleteFunc(*h, func(x silence) bool { return x.room.gone.Load() })
	heap.Init(h)
}

// longest takes out the room that has been silent longest, nil if there is none.
func (h *silences) longest() *room {
	for len(*h) > 0 {
		top := &(*h)[0]
		r := top.room
		r.mu.Lock()
		newest, gone := r.newest, r.gone.Load()
		r.mu.Unlock()
		switch {
		case gone:
			heap.Pop(h)
		case newest > top.seq:
			top.seq = newest
			heap.Fix(h, 0)
		default:
			heap.Pop(h)
			return r
		}
	}
	return nil
}
