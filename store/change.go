package store

import "edgechat/codec"

// A change is what a later revision makes of a message of a page.
type change struct {
	i       int // of the page
	offset  uint64
	seq     uint64 // of the revision, if it has to be read from the history
	content string
	deleted bool
	lost    bool // nobody knows what it says any more
}

// findChanges notes which messages of the page were changed by later revisions, and by which. The caller
// holds r.mu.
func (p *plan) findChanges(r *room) {
	for i := range p.seqs {
		v, ok := r.changedBy(p.first + uint64(i))
		if !ok {
			continue
		}
		c := change{i: i, offset: v.offset, deleted: v.deleted}
		switch e, sl := r.waiting(v.offset), r.slot(v.offset); {
		case v.deleted:
		case e != nil:
			c.content = e.msg.Content
		case sl == nil || sl.seq == 0:
			c.lost = true
		default:
			c.seq, c.lost = sl.seq, true // until it is read
		}
		p.changes = append(p.changes, c)
	}
}

// wanted returns what has to be read from the history.
func (p *plan) wanted() (list []wanted) {
	for i, seq := range p.seqs {
		if seq != 0 {
			list = append(list, wanted{seq: seq, offset: p.first + uint64(i), i: i})
		}
	}
	for i, c := range p.changes {
		if c.seq != 0 {
			list = append(list, wanted{seq: c.seq, offset: c.offset, i: i, change: true})
		}
	}
	return list
}

// take puts what was read where it belongs. It is false if a message has lost its content to a revision of which the plan
// knows nothing.
func (p *plan) take(list []wanted, read []found) bool {
	var changed map[int]bool
	for _, c := range p.changes {
		if changed == nil {
			changed = make(map[int]bool)
		}
		changed[c.i] = true
	}
	for k, want := range list {
		m := read[k]
		if m.superseded && (want.change || !changed[want.i]) {
			return false
		}
		if !want.change {
			p.page.Messages[want.i] = m.Message
			continue
		}
		c := &p.changes[want.i]
		c.content, c.lost = m.Content, m.ID.Offset == 0
	}
	return true
}

// change makes of the messages what they are now.
func (p *plan) change() {
	for _, c := range p.changes {
		m := &p.page.Messages[c.i]
		switch {
		case m.ID.Offset == 0: // it could not be read itself
		case c.lost:
			*m = codec.Message{}
			p.lost = true
		default:
			m.Content, m.Deleted = c.content, c.deleted
			m.Edited = m.Kind == codec.Said && !c.deleted
		}
	}
}
