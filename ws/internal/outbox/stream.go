package outbox

import "slices"

// A Stream is a supply of encoded frames that a connection shares with others
// and takes at the pace of its peer. Its methods are called one at a time,
// with a lock of the connection held: they must not call the connection.
type Stream interface {
	// Pending returns whole frames that are to be written next, or nothing. They must
	// stay as they are until Wrote, or until the Stream is detached.
	Pending() []byte
	// Wrote says that the first n bytes of what Pending returned, whole frames,
	// are written or will be.
	Wrote(n int)
}

// streams are those of one connection, which are taken in turns, so that a busy one does
// not starve a quiet one. Most connections have one, or none.
type streams struct {
	only Stream  // if there is one
	many *manyOf // if there are several
}

type manyOf struct {
	list []Stream
	at   int // who is next
}

func (s *streams) add(one Stream) {
	switch {
	case s.many != nil:
		s.many.list = append(s.many.list, one)
	case s.only != nil:
		s.many = &manyOf{list: []Stream{s.only, one}}
		s.only = nil
	default:
		s.only = one
	}
}

func (s *streams) remove(one Stream) {
	if s.only == one {
		s.only = nil
	}
	if s.many == nil {
		return
	}
	i := slices.Index(s.many.list, one)
	if i < 0 {
		return
	}
	s.many.list = slices.Delete(s.many.list, i, i+1)
	if s.many.at > i {
		s.many.at--
	}
	if len(s.many.list) == 0 {
		s.many = nil
	}
}

// each calls f with what each stream has, from the one that is next on, until f
// says that there is no room for p.
func (s *streams) each(f func(one Stream, p []byte) (fits bool)) {
	if s.only != nil {
		if p := s.only.Pending(); len(p) > 0 {
			f(s.only, p)
		}
		return
	}
	if s.many == nil {
		return
	}
	for range s.many.list {
		s.many.at %= len(s.many.list)
		one := s.many.list[s.many.at]
		if p := one.Pending(); len(p) > 0 && !f(one, p) {
			return
		}
		s.many.at++
	}
}

// Attach has the connection written what s has pending too, behind everything that
// was queued before.
func (b *Box) Attach(s Stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closing || b.dead {
		return
	}
	b.streams.add(s)
	b.flushLocked()
}

// Detach ends that: from its return on no method of s is called, and no byte of what
// Pending returned is read any more.
func (b *Box) Detach(s Stream) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streams.remove(s)
	b.flushLocked() // a close frame may have waited for it
}

// DetachAll is Detach for all.
func (b *Box) DetachAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streams = streams{}
	b.flushLocked()
}
