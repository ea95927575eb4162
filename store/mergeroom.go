package store

import (
	"maps"
	"sort"

	"edgechat/codec"
)

// A mergedRoom is a room of a merge: what the store has of it, and what was placed.
type mergedRoom struct {
	*merge
	name    string
	p       place
	fresh   bool // the store does not have it
	records []codec.Record
	from    []int               // by record, which of the messages it is; -1: the store's
	at      map[uint64]int      // by number, the record
	revised map[codec.ID]uint64 // by message, the number of its newest revision, be it placed or not
	changed map[codec.ID]uint64 // the same, of those that are among the records
	deleted map[codec.ID]uint64 // and of deletions alone
}

// roomOf begins a room with what the store has of it.
func (m *merge) roomOf(name string, p place, records []codec.Record) *mergedRoom {
	r := &mergedRoom{merge: m, name: name, p: p, fresh: len(p.starts) == 0, at: map[uint64]int{},
		revised: map[codec.ID]uint64{}, changed: map[codec.ID]uint64{}, deleted: map[codec.ID]uint64{}}
	for i := range records {
		r.add(records[i], -1)
	}
	maps.Copy(r.revised, r.changed)
	for _, i := range m.rooms[name] {
		if msg := &m.messages[i].Message; msg.Kind != codec.Said {
			r.revised[msg.Target] = max(r.revised[msg.Target], msg.ID.Offset)
		}
	}
	return r
}

func (r *mergedRoom) add(rec codec.Record, from int) {
	msg := &rec.Message
	r.at[msg.ID.Offset] = len(r.records)
	r.records, r.from = append(r.records, rec), append(r.from, from)
	r.p.head = max(r.p.head, msg.ID.Offset)
	if msg.Kind != codec.Said {
		r.changed[msg.Target] = max(r.changed[msg.Target], msg.ID.Offset)
	}
	if msg.Kind == codec.Deletion {
		r.deleted[msg.Target] = msg.ID.Offset
	}
}

// epochAt returns the epoch of the numbers around this one.
func (r *mergedRoom) epochAt(offset uint64) string {
	return (&room{starts: r.p.starts}).epochAt(offset)
}

// met says if there is something with the number of a message, and what becomes of that.
func (r *mergedRoom) met(i int) bool {
	msg := &r.messages[i].Message
	at, taken := r.at[msg.ID.Offset]
	switch {
	case !taken:
		return false
	case r.records[at].Message.ID != msg.ID:
		r.refuse(UnplacedTaken, i)
	case !r.same(at, i):
		r.refuse(UnplacedDiffers, i)
	default:
		r.report.Present++
	}
	return true
}

// same says if a record and a message of one ID are the same. What they say is not looked at where one of them may say it
// since a revision, and the other from before.
func (r *mergedRoom) same(at, i int) bool {
	rec, other := &r.records[at], &r.messages[i]
	a, b := rec.Message, other.Message
	if a.Username != b.Username || a.Verified != b.Verified || a.Time != b.Time || a.Kind != b.Kind || a.Target != b.Target || rec.Key != other.Key {
		return false
	}
	if from := r.from[at]; from >= 0 { // both are as an export has them
		a.Content = r.messages[from].Message.Content
		return a.Content == b.Content && a.Edited == b.Edited && a.Deleted == b.Deleted
	}
	revised := rec.Superseded || b.Edited || b.Deleted || r.revised[subject(&a)] > a.ID.Offset
	return revised || a.Content == b.Content
}

// place takes a message whose number is free, unless it is a revision of what is not there, or of what became something else.
func (r *mergedRoom) place(i int) {
	msg := &r.messages[i].Message
	if msg.Kind != codec.Said {
		target, at := msg.Target, msg.ID.Offset
		has, there := r.at[target.Offset]
		deleted, gone := r.deleted[target]
		switch {
		case target.Offset >= at,
			there && (r.records[has].Message.ID != target || r.records[has].Message.Kind != codec.Said),
			!there && target.Offset >= r.p.left && r.epochAt(target.Offset) != target.Epoch:
			r.refuse(UnplacedTarget, i)
			return
		case gone && deleted < at, msg.Kind == codec.Deletion && r.changed[target] > at:
			r.refuse(UnplacedRevised, i)
			return
		}
	}
	rec := r.messages[i]
	rec.Message.Author, rec.Superseded = 0, false
	r.add(rec, i)
}

// write writes the room as a backup has it: of each message its newest revision alone has the content.
func (r *mergedRoom) write(b *backupWriter) {
	delete(r.rooms, r.name)
	records := r.kept()
	if len(records) == 0 && r.fresh {
		return
	}
	if r.fresh {
		r.p.left = records[0].Message.ID.Offset
	}
	newest := newestRevisions(records)
	b.record(recordPlace, r.p.append(appendText(nil, r.name)))
	for i, rec := range records {
		msg := &rec.Message
		msg.Edited, msg.Deleted = false, false
		if at, revised := newest[subject(msg)]; revised && at != i {
			msg.Content, rec.Superseded = "", true
		}
		r.seq++
		b.message(r.seq, &rec)
	}
}

// kept returns the records of the room by their numbers, without those that are marked as revised by what is not there:
// what they say would be that of something else, or nothing.
func (r *mergedRoom) kept() (records []codec.Record) {
	for i := range r.records {
		msg, from := &r.records[i].Message, r.from[i]
		_, deleted := r.deleted[subject(msg)]
		switch {
		case from >= 0 && (msg.Deleted && !deleted || msg.Edited && r.changed[subject(msg)] == 0):
			r.refuse(UnplacedMarked, from)
			continue
		case from >= 0:
			r.report.Placed++
		}
		records = append(records, r.records[i])
	}
	sort.Slice(records, func(i, j int) bool { return records[i].Message.ID.Offset < records[j].Message.ID.Offset })
	return records
}
