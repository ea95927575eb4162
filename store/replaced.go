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

// tellReplaced returns up to n sequences for a batch of the log to tell.
func (s *Store) tellReplaced(closes uint64, n int) []uint64 {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	list := s.untoldLocked(closes)
	list = list[:min(len(list), max(n, 0))]
	seqs := make([]uint64, len(list))
	for i, x := range list {
		seqs[i] = x.seq
	}
	return seqs
}

// replacedTold notes that the log knows these, by a batch that ends at this sequence.
func (s *Store) replacedTold(seqs []uint64, last uint64) {
	if len(seqs) == 0 {
		return
	}
	known := make(map[uint64]bool, len(seqs))
	for _, seq := range seqs {
		known[seq] = true
	}
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	for _, x := range s.untoldLocked(^uint64(0)) {
		if known[x.seq] {
			x.told = max(last, 1)
		}
	}
}

// retellReplaced has a new log told all of them.
func (s *Store) retellReplaced() {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	for _, of := range [][]replacement{s.stripping, s.replaced} {
		for i := range of {
			of[i].told = 0
		}
	}
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
