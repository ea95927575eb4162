package store

import (
	"cmp"
	"slices"
)

// A removal is a message that left the buffer and is still in the file.
//
// To remove one by one what leaves the buffer would cost more than to store it: rooms
// that talk little keep old messages between those of rooms that talk a lot, so that
// each removal writes a page for itself. Hence two kinds:
//
//   - What is older than all that is in the buffer fills pages that hold nothing else.
//     Giving these up costs no write but that of the pages above them, so each checkpoint does it.
//   - What lies between messages of the buffer stays until there is as much of it as
//     of these, but at most HistoryBytes. A sweep removes it then, page
//     by page from the oldest on, removeAtMost with each transaction.
//
// Within a room the oldest always goes first, so that what a power cut leaves of
// it has no holes.
type removal struct {
	seq  uint64
	room *room
	cost uint32
}

const (
	removeAtMost = 1024     // in one transaction, or twice as many as it stores: some hundred pages
	sweepLeast   = 32 << 10 // bytes of messages that are worth a sweep
)

// remove makes seq due for removal from the history, once what displaced it is in the log.
func (s *Store) remove(r *room, seq uint64, cost uint32) {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	s.removals = append(s.removals, removal{seq, r, cost})
	s.everLeft++
	s.removalCount++
	s.removalBytes += int64(cost)
}

// purge has the next checkpoints remove all that has left the buffer by now: a revision is of what may be among it, of which memory
// knows no more than that it is to be removed.
func (s *Store) purge() {
	s.queueMu.Lock()
	s.purging, s.purgeUpTo = true, s.everLeft
	s.queueMu.Unlock()
}

// purgedLocked notes that all that was released is removed: what is left to purge is what waits for what displaced it.
func (s *Store) purgedLocked() { s.purging = s.everLeft-uint64(len(s.removals)) < s.purgeUpTo }

// dropRemovals forgets all that are due, and returns them.
func (s *Store) dropRemovals() []removal {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	list := slices.Concat(s.dead, s.released, s.removals)
	s.removals, s.released, s.atTarget, s.removalCount, s.removalBytes = nil, nil, 0, 0, 0
	s.dead, s.sweep = nil, 0
	return list
}

// extent says how much of what is due a transaction is to look at.
type extent int

const (
	whatIsDue   extent = iota
	allOldest          // what is older than the buffer: what would be taken for a part of it at the next start
	allReleased        // the file is full
)

// release adds what rooms gave since the file is full, and what they had given before: no
// message has to be in the log for that. What was displaced in other rooms has to wait for what displaced it.
func (s *Store) release(gave map[*room]uint64) {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	kept, atTarget := s.removals[:0], 0
	for i, r := range s.removals {
		if r.seq <= gave[r.room] {
			s.released = append(s.released, r)
			continue
		}
		kept = append(kept, r)
		if i < s.atTarget {
			atTarget++
		}
	}
	clear(s.removals[len(kept):])
	s.removals, s.atTarget = kept, atTarget
}

// takeRemovals gives j the removals that are due, and says if more are left. The keeper
// calls it.
func (s *Store) takeRemovals(j *job, which extent) (more bool) {
	s.queueMu.Lock()
	var left []removal
	if which > whatIsDue || s.sweep == 0 { // else the sweep goes on first
		left, s.released = s.released, nil
	}
	live := s.bytes.Load()
	sweep := which == allReleased || s.removalBytes >= max(sweepLeast, min(2*live, s.cfg.HistoryBytes))
	s.queueMu.Unlock()

	if which > whatIsDue || s.sweep == 0 {
		s.bury(left)
		if s.sweep = len(s.dead); !sweep || which == allOldest {
			oldest := s.oldest()
			s.sweep, _ = slices.BinarySearchFunc(s.dead, oldest, func(r removal, seq uint64) int { return cmp.Compare(r.seq, seq) })
		}
	}
	n := min(s.sweep, max(removeAtMost, 2*len(j.entries)))
	j.removals = slices.Clone(s.dead[:n])
	s.dead = s.dead[n:]
	s.sweep -= n
	s.tallyRemovals(j.removals, -1)
	return s.sweep > 0
}

// bury merges what left the buffer into dead, which is in the order of sequences.
func (s *Store) bury(left []removal) {
	slices.SortFunc(left, func(a, b removal) int { return cmp.Compare(a.seq, b.seq) })
	i, j := len(s.dead)-1, len(left)-1
	s.dead = append(s.dead, left...)
	for k := len(s.dead) - 1; j >= 0; k-- {
		if i >= 0 && s.dead[i].seq > left[j].seq {
			s.dead[k] = s.dead[i]
			i--
		} else {
			s.dead[k] = left[j]
			j--
		}
	}
}

// untakeRemovals puts back what could not be done.
func (s *Store) untakeRemovals(j *job) {
	s.dead = slices.Concat(j.removals, s.dead)
	s.sweep += len(j.removals)
	s.tallyRemovals(j.removals, 1)
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	s.purging = s.purging || j.purged
	s.forgotten = append(s.forgotten, j.forgotten...)
	s.replaced, s.stripping = append(s.replaced, s.stripping...), nil
	s.telling = nil
	for _, r := range j.told {
		s.tellLaterLocked(r, s.tellingFrom)
	}
}

func (s *Store) tallyRemovals(list []removal, sign int) {
	bytes := int64(0)
	for _, r := range list {
		bytes += int64(r.cost)
	}
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	s.removalCount += sign * len(list)
	s.removalBytes += int64(sign) * bytes
}
