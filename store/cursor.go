package store

import "edgechat/codec"

// resolve returns the offset in r that a cursor stands for: who holds it has
// seen what there is up to that offset. It returns false if that cannot be proved;
// the offset is then a guess. The caller holds r.mu.
//
//	present epoch            the offset itself, if it is not above the head
//	known epoch              the same, but no more than the last offset before a
//	                         later epoch began in this room: what was above
//	                         had been delivered, and was lost before it was stored
//	unknown epoch            nothing
//	an epoch before damage   nothing: what its holder has not seen may be gone
//	an epoch before a copy   the offset itself, unless it is above what the copy had: that
//	                         was given elsewhere, and who holds it may have seen less than that of it
//
// So (present epoch, head) can be handed out although the message at head is of
// an earlier epoch, and also for a room without any message: no message of that
// epoch has followed as long as a later epoch's start is right behind head.
func (r *room) resolve(es epochs, id codec.ID) (uint64, bool) {
	e, known := es.find(id.Epoch)
	if !known || e.n < es.provable() {
		return min(id.Offset, r.head), false
	}
	if e.n == es.now().n {
		return min(id.Offset, r.head), id.Offset <= r.head
	}
	// A room that was not known when its first epoch began may have been forgotten before,
	// and nothing is left of what it held in epochs before that.
	if first := r.firstStart(); e.n < first.n && first.first > 1 {
		return min(id.Offset, r.head), false
	}
	end := r.endBefore(e.n + 1)
	if fork, ok := es.forked(e.n); ok && id.Offset > r.endBefore(fork) {
		return end, false
	}
	return min(id.Offset, end), true
}

// limit returns where the first or newest messages of a range begin, and how many offsets they take: limit counts messages,
// not what was lost between them. 0 asks for all.
func (r *room) limit(first, last uint64, limit int, newest bool) (from, n uint64) {
	if limit <= 0 || last-first+1 <= uint64(limit) {
		return first, last - first + 1
	}
	found, at, step := 0, first, uint64(1)
	if newest {
		at, step = last, ^uint64(0)
	}
	for ; first <= at && at <= last; at += step {
		if r.slot(at).seq == 0 {
			continue
		}
		if found++; found == limit {
			break
		}
	}
	at = min(max(at, first), last)
	if newest {
		return at, last - at + 1
	}
	return first, at - first + 1
}

// resolveBefore returns the last offset before a message, and if that is known.
func (r *room) resolveBefore(es epochs, id codec.ID) (uint64, bool) {
	if sl := r.slot(id.Offset); sl != nil && r.epochAt(id.Offset) == id.Epoch {
		return id.Offset - 1, true // it is in the buffer, whatever is known of its epoch
	}
	if id.Offset == 0 {
		_, known := es.find(id.Epoch)
		return 0, known
	}
	// A message that was lost: all that was there before it, and nothing that took
	// its offset later.
	end, ok := r.resolve(es, codec.ID{Epoch: id.Epoch, Offset: id.Offset - 1})
	return end, ok
}

// endBefore returns the last offset before the epochs from n on began in r.
func (r *room) endBefore(n uint64) uint64 {
	for _, s := range r.starts {
		if s.n >= n {
			return s.first - 1
		}
	}
	return r.head
}

// firstStart returns the first start that is known. A room without any is
// one that was never used or was forgotten: it would start behind its head.
func (r *room) firstStart() start {
	if len(r.starts) == 0 {
		return start{n: ^uint64(0), first: r.head + 1}
	}
	return r.starts[0]
}

// Head returns the newest offset of a room with the name of the present epoch,
// whatever epoch the message there is of: as a cursor it stands for the same
// place for as long as the epoch is known. The offset is 0 if there never was a
// message; once rooms were forgotten (see Config.RememberedRooms) it is the
// highest of theirs for a room that is not known.
func (s *Store) Head(name string) codec.ID {
	r, release := s.lookUp(name)
	defer release()
	return codec.ID{Epoch: s.epochs.Load().now().name, Offset: r.head}
}

// Oldest returns the ID of the oldest message of a room that can be read, zero
// if there is none.
func (s *Store) Oldest(name string) codec.ID {
	r, release := s.lookUp(name)
	defer release()
	return r.oldestID()
}
