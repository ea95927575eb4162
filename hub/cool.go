package hub

import "time"

// coolAfter is how long a room keeps an empty chunk for what is said next.
const coolAfter = 2 * time.Second

// coolLocked has the chunks of a room that has gone silent freed. There is
// one timer for a room, and only while it has chunks.
func (r *room) coolLocked() {
	if r.cooling || len(r.members) == 0 {
		return // a timer would keep a room that has ended
	}
	r.cooling, r.warm = true, r.positionsLocked()
	if r.cooler == nil {
		r.cooler = time.AfterFunc(coolAfter, r.cool)
	} else {
		r.cooler.Reset(coolAfter)
	}
}

func (r *room) cool() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cooling = false
	if r.flusher.state == running || len(r.members) == 0 {
		return // who flushes sets it again
	}
	if r.positionsLocked() != r.warm {
		r.coolLocked()
		return
	}
	if r.allTakenLocked() {
		for _, l := range r.logs {
			if l != nil {
				l.drop(len(l.chunks))
			}
		}
	}
}

// positionsLocked changes whenever something is appended.
func (r *room) positionsLocked() (sum uint64) {
	for _, l := range r.logs {
		if l != nil {
			sum += l.top
		}
	}
	return sum
}
