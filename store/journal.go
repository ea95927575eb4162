package store

import (
	"encoding/binary"
	"os"
	"slices"

	"edgechat/codec"
	"edgechat/store/wal"
)

func (s *Store) logPath() string { return logPath(s.cfg.Path) }

func logPath(path string) string { return path + "-wal" }

// append commits entries to the log, and what else it is to know: told among it. With them the log has what displaced
// others, where that has sequences up to closes; 0 says that a later batch will have what displaced some that were passed over.
func (s *Store) append(entries []*entry, closes uint64, told []tale) (turned bool, err error) {
	s.roomsMu.RLock()
	floor := s.floor
	s.roomsMu.RUnlock()
	s.queueMu.Lock()
	changes, settled := s.actualChanges, s.settled
	noted := s.notedChanges == changes
	s.queueMu.Unlock()

	b := s.wal.Begin()
	if closes == 0 {
		b = wal.AppendRecord(b, recordOpen, func(b []byte) []byte { return b })
	}
	learnt := s.learnt.Swap(false)
	state := s.retell || learnt
	if state {
		b = s.appendState(b, s.wal.File())
	}
	if s.erasing { // it may begin a half of which not all is erased
		b = appendSoiled(b, max(settled, 1))
	}
	if !noted {
		b = wal.AppendRecord(b, recordCheckpoint, func(b []byte) []byte { return binary.AppendUvarint(b, changes) })
	}
	if floor != s.toldFloor {
		b = wal.AppendRecord(b, recordFloor, func(b []byte) []byte { return binary.AppendUvarint(b, floor) })
	}
	first, last := settled, settled
	if len(entries) > 0 {
		first, last = entries[0].seq, entries[len(entries)-1].seq
	}
	for _, e := range entries {
		b = wal.AppendRecord(b, recordOf(&e.msg), func(b []byte) []byte {
			b = binary.AppendUvarint(b, e.seq-first)
			return codec.AppendRecord(b, &codec.Record{Room: e.room.name, Message: e.msg, Key: e.key})
		})
	}
	for i := range told {
		t := &told[i]
		if len(b) > s.wal.Room()/2 && !t.again { // the rest comes with the next one
			told = told[:i]
			break
		}
		t.room.mu.Lock()
		t.needed = !t.room.gone.Load() // else floor tells
		p := place{head: t.passed, left: t.passed + 1, starts: t.room.starts}
		t.room.mu.Unlock()
		if t.needed {
			b = wal.AppendRecord(b, recordPlace, func(b []byte) []byte { return p.append(appendText(b, t.room.name)) })
		}
	}
	reusable := s.reusable(s.checkpointed.Load())
	var replaced []uint64
	if closes != 0 { // the rest comes with the next one, as with told
		replaced = s.tellReplaced(closes, last, (s.wal.Room()-len(b))/(2*binary.MaxVarintLen64))
	}
	if len(replaced) > 0 {
		b = wal.AppendRecord(b, recordReplaced, func(b []byte) []byte { return appendSequences(b, replaced) })
	}
	turned, err = s.wal.Commit(b, first, last, reusable)
	if err != nil {
		s.untellReplaced(max(last, 1))
		if learnt {
			s.learnt.Store(true)
		}
		return turned, err
	}
	s.retell, s.toldFloor = turned && !state, floor
	s.wereTold(told, last)
	s.queueMu.Lock()
	s.notedChanges = changes
	s.queueMu.Unlock()
	return turned, nil
}

// A tale is a room and the last offset of it that was passed over.
type tale struct {
	room   *room
	passed uint64
	needed bool // nothing else in the log tells
	again  bool // the log before this one told
}

// untoldRooms returns the rooms of which the log does not know yet what was passed over.
func (s *Store) untoldRooms() []tale {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	list := make([]tale, len(s.untold))
	for i, r := range s.untold {
		list[i] = tale{room: r, passed: r.passed}
	}
	return list
}

// wereTold notes that the log knows these now, which were the first of untold, by a batch that ends at this sequence.
//
// The history is told by the next checkpoint. It may have older messages of the room still, which would come back at a start with
// a hole behind them; that there is a later message in the log does not tell it, since a checkpoint may take that first.
func (s *Store) wereTold(list []tale, last uint64) {
	for _, t := range list {
		if t.needed {
			t.room.mu.Lock()
			t.room.logged = max(t.room.logged, t.passed)
			t.room.leave(t.passed + 1)
			t.room.mu.Unlock()
		}
	}
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	done := make(map[*room]bool, len(list))
	for _, t := range list {
		if t.room.passed == t.passed && !t.again { // else more of it was passed over meanwhile
			t.room.untold = false
			done[t.room] = true
		}
		if t.needed {
			t.room.placed = max(t.room.placed, t.passed)
			s.tellLaterLocked(t.room, last)
		}
	}
	s.untold = slices.DeleteFunc(s.untold, func(r *room) bool { return done[r] })
}

// tellLaterLocked has the next checkpoint tell the head of a room, which a batch of the log tells that ends at this sequence.
func (s *Store) tellLaterLocked(r *room, last uint64) {
	if len(s.told) == 0 || last < s.toldFrom {
		s.toldFrom = last
	}
	if !r.told && !r.gone.Load() {
		r.told = true
		s.told = append(s.told, r)
	}
}

// reusable returns up to which sequence the log may lose what it holds if the history has all messages up to seq:
// less than that while the log alone tells of some rooms, or of content that was taken away.
func (s *Store) reusable(seq uint64) uint64 {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	if len(s.told) > 0 {
		seq = min(seq, s.toldFrom-1)
	}
	if len(s.telling) > 0 {
		seq = min(seq, s.tellingFrom-1)
	}
	return s.reusableReplacedLocked(seq)
}

// appendState appends the record that says how the store was opened.
func (s *Store) appendState(b []byte, f *os.File) []byte {
	st := s.state(false)
	st.runs = s.runs
	s.queueMu.Lock()
	st.changes = s.actualChanges
	dirty := s.dirty
	s.queueMu.Unlock()
	st.identity = s.cfg.identify(f)
	b = wal.AppendRecord(b, recordStart, st.append)
	if dirty != 0 { // the revisions that the log had may be in the history, and what they took away on free pages
		b = appendSoiled(b, dirty)
	}
	return b
}

func appendSoiled(b []byte, upTo uint64) []byte {
	return wal.AppendRecord(b, recordSoiled, func(b []byte) []byte { return binary.AppendUvarint(b, upTo) })
}

// appendStart tells the log that the store was opened. It has to, before the first number is
// given: a message is delivered before it is committed, and if power fails in
// between, the next start must not find what looks closed in order.
//
// WasOpen: power was cut before the log was closed, so that no later batch closes what was open.
func (s *Store) appendStart(l *wal.Log, wasOpen bool) error {
	s.queueMu.Lock()
	seq := s.settled
	s.queueMu.Unlock()
	b := s.appendState(l.Begin(), l.File())
	if wasOpen {
		b = wal.AppendRecord(b, recordNeverClosed, func(b []byte) []byte { return b })
	}
	commit := func() error {
		_, err := l.Commit(b, seq, seq, s.reusable(s.checkpointed.Load()))
		return err
	}
	if s.cfg.aroundCommit != nil {
		return s.cfg.aroundCommit(commit)
	}
	return commit()
}
