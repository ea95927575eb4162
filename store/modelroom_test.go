package store

import "edgechat/codec"

type modelRoom struct {
	all        []modelMessage // what survived, by offset-1
	oldest     int            // offset of the first that can be read; len(all)+1 if none can
	stored     int            // len(all) when all was on disk last
	oldestThen int
	cursors    []modelCursor
}

type modelMessage struct {
	room, key string
	msg       codec.Message // as it was given
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
		if r.all[j].msg.Kind != codec.Said && r.all[j].target() == r.all[i].target() {
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
	if r.newest(i) != nil {
		x.msg.Content = ""
	}
	return costOf(x.room, &x.msg, x.key)
}

// byKey returns the message of a key that is in the buffer.
func (r *modelRoom) byKey(key string) (codec.ID, bool) {
	for _, m := range r.all[r.oldest-1:] {
		if m.key == key {
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
	if at < r.oldest || r.all[at-1].msg.Kind != codec.Said || r.present(at-1).Deleted {
		return codec.ErrNoTarget
	}
	if !claim.Covers(r.all[at-1].msg.Author) {
		return codec.ErrNotAuthor
	}
	return nil
}
