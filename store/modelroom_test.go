package store

import (
	"testing"

	"edgechat/codec"
)

type modelRoom struct {
	all        []modelMessage // what survived, by offset-1
	oldest     int            // offset of the first that can be read; len(all)+1 if none can
	stored     int            // len(all) when all was on disk last
	oldestThen int
	mayLack    int // what has lower offsets had left the buffer when power was cut, and need not have been written
	cursors    []modelCursor
}

type modelMessage struct {
	room, key string
	msg       codec.Message // as it was given
	lost      bool
}

// target returns the offset of what a message is about: itself, or what it changes.
func (x *modelMessage) target() uint64 {
	if x.msg.Kind == codec.Said {
		return x.msg.ID.Offset
	}
	return x.msg.Target.Offset
}

// newest returns the newest revision of the same message as what has index i is about, nil if that is it.
func (r *modelRoom) newest(i int) *modelMessage {
	for j := len(r.all) - 1; j > i; j-- {
		if r.all[j].msg.Kind != codec.Said && !r.all[j].lost && r.all[j].target() == r.all[i].target() {
			return &r.all[j]
		}
	}
	return nil
}

// present returns a message as it has to be read now.
func (r *modelRoom) present(i int) codec.Message {
	m := r.all[i].msg
	if by := r.newest(i); by != nil {
		m.Content, m.Deleted = by.msg.Content, by.msg.Kind == codec.Deletion
		m.Edited = m.Kind == codec.Said && !m.Deleted
	}
	return m
}

// cost returns what a message counts of the buffer.
func (r *modelRoom) cost(i int) int64 {
	x := r.all[i]
	if x.lost {
		return 0
	}
	if r.newest(i) != nil {
		x.msg.Content = ""
	}
	return costOf(x.room, &x.msg, x.key)
}

// holes takes from the store what was lost, which is nothing but what had left the buffer and was not written when power was cut:
// older messages, which were on disk, can be read again without it.
func (r *modelRoom) holes(t *testing.T, s *Store, name string) {
	t.Helper()
	for i := r.oldest; i <= len(r.all); i++ {
		sl := s.rooms[name].slot(uint64(i))
		if sl == nil {
			t.Fatalf("room %s: %d is not there, of %d to %d", name, i, r.oldest, len(r.all))
		}
		if x := &r.all[i-1]; sl.seq == 0 {
			if !x.lost && i >= r.mayLack {
				t.Fatalf("room %s: %d is lost, of %d to %d; what was in the buffer began at %d", name, i, r.oldest, len(r.all), r.mayLack)
			}
			x.lost = true
		}
	}
}

// page returns the offsets that answer q where it asks for those from first on, and whether nothing is lost among them.
func (r *modelRoom) page(first int, q codec.Query) (page []int, whole bool) {
	for i := first; i <= len(r.all); i++ {
		if !r.all[i-1].lost {
			page = append(page, i)
		}
	}
	if n := len(page) - q.Limit; q.Limit > 0 && n > 0 {
		if q.Newest {
			page = page[n:]
		} else {
			page = page[:q.Limit]
		}
	}
	return page, len(page) == 0 || page[len(page)-1]-page[0] == len(page)-1
}

// byKey returns the message of a key that is in the buffer.
func (r *modelRoom) byKey(key string) (codec.ID, bool) {
	for _, m := range r.all[r.oldest-1:] {
		if m.key == key && !m.lost {
			return m.msg.ID, true
		}
	}
	return codec.ID{}, false
}

// refuse returns why a revision is not taken.
func (r *modelRoom) refuse(x *modelMessage, claim codec.Claim) error {
	if x.msg.Kind == codec.Said {
		return nil
	}
	at := int(x.msg.Target.Offset)
	if at < r.oldest && r.all[at-1].msg.Kind == codec.Said && x.msg.Kind == codec.Deletion && claim.All {
		if by := r.newest(at - 1); by != nil && int(by.msg.ID.Offset) >= r.oldest && by.msg.Kind == codec.Edit {
			return nil // what an edit says of it is taken
		}
	}
	if at < r.oldest || r.all[at-1].lost || r.all[at-1].msg.Kind != codec.Said || r.present(at-1).Deleted {
		return codec.ErrNoTarget
	}
	if !claim.Covers(r.all[at-1].msg.Author) {
		return codec.ErrNotAuthor
	}
	return nil
}
