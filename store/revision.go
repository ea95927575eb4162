package store

import (
	bolt "go.etcd.io/bbolt"

	"edgechat/codec"
)

// A revision is an edit or a deletion, and a message of its own: with a sequence, an offset and a key. What it changes is
// its target. The newest revision of a message has the content; the target, and every revision before it, have
// lost theirs, and say what the newest does when they are read:
//
//	target 7 "hi"     edit 9 "ho"     edit 12 "hey"      as it was said
//	target 7 ""       edit 9 ""       edit 12 "hey"      what the buffer counts, and the history keeps
//	target 7 "hey"    edit 9 "hey"    edit 12 "hey"      as it is read
//
// Within a room the oldest leaves the buffer first, so that whoever has lost his content finds it behind him.
//
// A target is in the history, or in the log alone. The transaction that brings a revision into the history takes the content
// of what it replaces out of the record there, and then the free pages are wiped, which have copies of it (wipe.go). The
// log is never changed: once the history has it, its halves are left one after the other and overwritten
// (erase.go). Until then whoever reads is told the newest by memory.

// A revision is the newest one of a message.
type revision struct {
	offset  uint64
	deleted bool // the message is no more
}

// A spot is where a message is, or was, in a room.
type spot struct {
	room   *room
	offset uint64
}

// Revise is Append for a revision: m.Kind says which, m.Target what it changes, and m.Content what that says from then
// on. It is delivered and numbered as any message is, and settled by done as one; key is one of the same
// keys. m.Author does not matter; claim has to cover that of the target.
//
// The error may be codec.ErrNoTarget: the target is not a message in the buffer, or was deleted; or
// codec.ErrNotAuthor. With claim.All a deletion takes away what an edit in the buffer says of a message that left it, too.
func (s *Store) Revise(room string, m codec.Message, claim codec.Claim, key string, done codec.Done) error {
	return s.tell(room, revising(m), claim, key, done)
}

// revising is m without what an edit or a deletion does not have.
func revising(m codec.Message) codec.Message {
	m.Author, m.Edited, m.Deleted = 0, false, false
	if m.Kind == codec.Deletion {
		m.Content = ""
	}
	return m
}

// has says if there is a room of that name.
func (s *Store) has(name string) bool {
	s.roomsMu.RLock()
	defer s.roomsMu.RUnlock()
	return s.rooms[name] != nil
}

// revise returns the sequence whose content m takes away, if m is a revision that claim covers. The caller holds
// r.mu, here and below.
func (r *room) revise(m *codec.Message, claim codec.Claim) (replaces uint64, err error) {
	if m.Kind == codec.Said {
		return 0, nil
	}
	at := m.Target.Offset
	sl := r.slot(at)
	if v, ok := r.revised[at]; sl == nil && ok && claim.All && m.Kind == codec.Deletion && !v.deleted {
		// The message left the buffer, and an edit of it did not.
		epoch := r.epochAt(at) // "" if that is not known any more
		if sl = r.carrier(m.Target); sl == nil || epoch != "" && epoch != m.Target.Epoch {
			return 0, codec.ErrNoTarget
		}
		return sl.seq, nil
	}
	if _, revision := r.revisions[at]; sl == nil || sl.seq == 0 || revision || r.revised[at].deleted || r.epochAt(at) != m.Target.Epoch {
		return 0, codec.ErrNoTarget
	}
	if !claim.Covers(sl.author) {
		return 0, codec.ErrNotAuthor
	}
	if sl = r.carrier(m.Target); sl != nil {
		replaces = sl.seq
	}
	return replaces, nil
}

// carrier returns the slot that has the content of a message, nil if it left the buffer.
func (r *room) carrier(target codec.ID) *slot {
	if v, ok := r.revised[target.Offset]; ok {
		return r.slot(v.offset)
	}
	if sl := r.slot(target.Offset); sl != nil && r.epochAt(target.Offset) == target.Epoch {
		return sl
	}
	return nil
}

// supersede notes that m, which is about to be added to r, is the newest revision of its target, if it is one. What had
// the content counts without it from now on; its sequence is returned.
func (s *Store) supersede(r *room, m *codec.Message) (replaced uint64) {
	if m.Kind == codec.Said {
		return 0
	}
	if sl := r.carrier(m.Target); sl != nil {
		replaced = sl.seq
		s.bytes.Add(-int64(sl.text))
		r.bytes -= int64(sl.text)
		sl.cost -= sl.text
		sl.text = 0
	}
	if r.revised == nil {
		r.revised, r.revisions = make(map[uint64]revision), make(map[uint64]uint64)
	}
	r.revised[m.Target.Offset] = revision{r.head + 1, m.Kind == codec.Deletion}
	r.revisions[r.head+1] = m.Target.Offset
	return replaced
}

// about returns the offset of what the message at an offset tells of: its target if it is a revision, else itself.
func (r *room) about(offset uint64) uint64 {
	if target, revision := r.revisions[offset]; revision {
		return target
	}
	return offset
}

// unrevise forgets the revision at an offset that leaves the buffer.
func (r *room) unrevise(offset uint64) {
	target, ok := r.revisions[offset]
	if !ok {
		return
	}
	delete(r.revisions, offset)
	if r.revised[target].offset == offset {
		delete(r.revised, target)
	}
	if len(r.revisions) == 0 {
		r.revised, r.revisions = nil, nil
	}
}

// changedBy returns the newest revision of what is at an offset, if that is not what is there.
func (r *room) changedBy(offset uint64) (v revision, ok bool) {
	if target, revision := r.revisions[offset]; revision {
		v = r.revised[target]
		return v, v.offset != offset
	}
	v, ok = r.revised[offset]
	return v, ok
}

// loseBare makes holes of messages whose content was taken out by revisions that were lost.
func (s *Store) loseBare() {
	for _, b := range s.bare {
		sl := b.room.slot(b.offset)
		if sl == nil || sl.seq == 0 {
			continue
		}
		if _, ok := b.room.changedBy(b.offset); !ok {
			s.loseLocked(b.room, b.offset, sl)
		}
	}
	s.bare = nil
}

// recordOf returns the kind of the record that a message has in the log.
func recordOf(m *codec.Message) byte {
	if m.Kind == codec.Said {
		return recordMessage
	}
	return recordRevision
}

// bareRecord returns the record without the content.
func bareRecord(rec codec.Record) []byte {
	rec.Message.Content, rec.Superseded = "", true
	return codec.AppendRecord(nil, &rec)
}

// strip takes the content out of a record of the history. One that cannot be read is removed: what it held may be what
// must not stay.
func strip(log *bolt.Bucket, key []byte, t *tally) error {
	b := log.Get(key)
	if b == nil {
		return nil
	}
	rec, err := codec.DecodeRecord(b)
	if err != nil {
		t.messages--
		return log.Delete(key)
	}
	if rec.Superseded {
		return nil
	}
	return log.Put(key, bareRecord(rec))
}

// present returns the record b as the history is to have it: a salvage may have found one of before a revision, which
// the history has.
func (s *Store) present(rec *codec.Record, b []byte) []byte {
	r, release := s.lookUp(rec.Room)
	defer release()
	if v, ok := r.changedBy(rec.Message.ID.Offset); ok && !rec.Superseded && r.waiting(v.offset) == nil {
		return bareRecord(*rec)
	}
	return append([]byte(nil), b...)
}
