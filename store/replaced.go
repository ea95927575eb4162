package store

import "encoding/binary"

// A replacement is a sequence whose content was taken away by a revision that was displaced before it was written: the next
// checkpoint takes it out of the history, and until then the log tells it to a start.
type replacement struct {
	seq       uint64
	displacer uint64 // as entry.displacer
	told      uint64 // the sequence at which the batch ends that tells it; 0 if none does
}

// replaceLocked notes one more.
func (s *Store) replaceLocked(x replacement) {
	s.replaced = append(s.replaced, x)
	s.dirty = max(s.dirty, x.displacer)
	s.unerased.Store(true)
}

// takeReplacedLocked gives j what was replaced by revisions that will not be written, once the log holds what
// displaced these.
func (s *Store) takeReplacedLocked(j *job) {
	kept := s.replaced[:0]
	for _, x := range s.replaced {
		if x.displacer > s.closedAt {
			kept = append(kept, x)
			continue
		}
		s.stripping = append(s.stripping, x)
		j.replaced = append(j.replaced, x.seq)
	}
	s.replaced = kept
}

// replacedDueLocked says if there is something that takeReplacedLocked would take.
func (s *Store) replacedDueLocked() bool {
	for _, x := range s.replaced {
		if x.displacer <= s.closedAt {
			return true
		}
	}
	return false
}

// untoldLocked are the replacements that the log does not know yet, of those that were displaced by sequences up to this.
func (s *Store) untoldLocked(closes uint64) (list []*replacement) {
	for _, of := range [][]replacement{s.stripping, s.replaced} {
		for i := range of {
			if of[i].told == 0 && of[i].displacer <= closes {
				list = append(list, &of[i])
			}
		}
	}
	return list
}

func (s *Store) replacedUntold(closes uint64) bool {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	return len(s.untoldLocked(closes)) > 0
}

// tellReplaced returns up to n sequences for a batch of the log to tell that ends at this sequence.
func (s *Store) tellReplaced(closes, last uint64, n int) (seqs []uint64) {
	s.queueMu.Lock()
	for _, x := range s.untoldLocked(closes) {
		if len(seqs) < n {
			seqs = append(seqs, x.seq)
			x.told = max(last, 1)
		}
	}
	s.queueMu.Unlock()
	return seqs
}

// untellReplaced notes that the log does not know what it was told by batches that end at this sequence or later.
func (s *Store) untellReplaced(from uint64) {
	s.queueMu.Lock()
	for _, of := range [][]replacement{s.stripping, s.replaced} {
		for i := range of {
			if of[i].told >= from {
				of[i].told = 0
			}
		}
	}
	s.queueMu.Unlock()
}

// reusableReplacedLocked is reusable for these.
func (s *Store) reusableReplacedLocked(seq uint64) uint64 {
	for _, of := range [][]replacement{s.stripping, s.replaced} {
		for _, x := range of {
			if x.told != 0 {
				seq = min(seq, x.told-1)
			}
		}
	}
	return seq
}

func appendSequences(b []byte, seqs []uint64) []byte {
	for _, seq := range seqs {
		b = binary.AppendUvarint(b, seq)
	}
	return b
}
