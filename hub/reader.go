package hub

import "edgechat/codec"

const (
	// pageBytes is how much is read from the Log for one reader before it has
	// taken what it has, in bytes. One message is read whatever its size.
	pageBytes = 64 << 10
	// firstStep is how many messages are read at first, of which nobody knows how large
	// they are, and maxStep how many at most at once.
	firstStep = 4
	maxStep   = 32
)

// A reader goes through the messages of a room that are in the Log, from
// offset next up to last, a few at a time.
type reader struct {
	log   Log
	room  string
	epoch string
	next  uint64
	last  uint64
	step  int

	oldest codec.ID // in the buffer, as it was when something had left it
}

// A window is where in a room a reader begins and ends.
type window struct {
	head, oldest codec.ID
	first, last  uint64 // offsets; nothing if last is less
	recovered    bool   // nothing is missing between Query.After and first
}

// look finds the window of q, by offsets: it reads one message. With upto, messages
// after that offset are not looked at.
func (h *Hub) look(room string, q codec.Query, upto uint64) (w window, err error) {
	one := q
	one.Limit, one.Newest = 1, false
	page, err := h.cfg.Log.Read(room, one)
	if err != nil {
		return w, err
	}
	w = window{head: page.Head, oldest: page.Oldest, recovered: page.Recovered, first: page.Oldest.Offset, last: min(page.Head.Offset, upto)}
	switch {
	case w.first == 0: // the buffer is empty
		w.first = w.last + 1
	case q.Before != nil && len(page.Messages) > 0:
		w.last = page.Messages[0].ID.Offset
	case q.Before != nil: // nothing can be read of what was before
		w.last = min(w.last, max(q.Before.Offset, 1)-1)
	case !w.recovered: // the cursor proves nothing, or points to what is gone
	case len(page.Messages) > 0:
		w.first = page.Messages[0].ID.Offset
	default:
		w.first = w.last + 1
	}
	if limit := uint64(q.Limit); limit > 0 && w.last >= w.first && w.last-w.first >= limit {
		if q.Newest || q.Before != nil || !w.recovered {
			w.first = w.last - limit + 1
			w.recovered = w.recovered && q.After == nil
		} else {
			w.last = w.first + limit - 1
		}
	}
	return w, nil
}

func (h *Hub) newReader(room string, w window) reader {
	return reader{log: h.cfg.Log, room: room, epoch: w.head.Epoch, next: w.first, last: w.last, step: firstStep}
}

func (r *reader) ended() bool { return r.next > r.last }

// What is missing from what a reader has read.
type missing uint8

const (
	nothing missing = iota
	damaged         // messages that the Log has lost: no other read finds them
	trimmed         // messages that have left the buffer: the reader was too slow
)

// read returns the next messages, about as many as are size bytes, and at least one
// unless the end is reached. Whatever is missing, it goes on behind it.
func (r *reader) read(size int) (messages []codec.Message, what missing, err error) {
	for len(messages) == 0 && !r.ended() {
		limit := min(uint64(r.step), r.last-r.next+1)
		after := codec.ID{Epoch: r.epoch, Offset: r.next - 1}
		page, err := r.log.Read(r.room, codec.Query{After: &after, Limit: int(limit)})
		if err != nil {
			return nil, what, err
		}
		messages = page.Messages
		switch {
		case page.Recovered:
		case page.Oldest.Offset == 0 || page.Oldest.Offset > r.next:
			if what = trimmed; r.oldest.Offset == 0 {
				r.oldest = page.Oldest
			}
		default:
			what = max(what, damaged)
		}
		switch n := len(messages); {
		case what == damaged:
			r.next += limit // which of them are there was told
			if n > 0 {
				r.next = max(r.next, messages[n-1].ID.Offset+1)
			}
		case n > 0:
			r.next = messages[n-1].ID.Offset + 1
		default:
			r.next = r.last + 1
		}
	}
	for n := len(messages); n > 0 && messages[n-1].ID.Offset > r.last; n-- {
		messages = messages[:n-1]
	}
	r.pace(messages, size)
	return messages, what, nil
}

// unread says that the messages from this one on were not taken after all.
func (r *reader) unread(m *codec.Message) { r.next = m.ID.Offset }

// pace has the next read bring as many as fit into size bytes, going by these. It
// goes up in small steps only, since a Log may hold small ones and then large ones.
func (r *reader) pace(messages []codec.Message, size int) {
	sum := 0
	for i := range messages {
		sum += sizeOf(&messages[i])
	}
	if sum > 0 {
		r.step = max(1, min(2*r.step, maxStep, size*len(messages)/sum))
	}
}

// sizeOf is about what a message takes in memory, and as a frame.
func sizeOf(m *codec.Message) int { return len(m.Content) + len(m.Username) + 120 }
