package store

import (
	"encoding/binary"
	"errors"
	"os"
	"slices"

	"edgechat/codec"
	"edgechat/internal/durable"
	"edgechat/store/wal"
)

func (s *Store) logPath() string { return logPath(s.cfg.Path) }

func logPath(path string) string { return path + "-wal" }

// append commits entries to the log, and what else it is to know: told among it.
// Open says that a later batch will have what displaced some that were passed over.
func (s *Store) append(entries []*entry, open bool, told []tale) (turned bool, err error) {
	s.roomsMu.RLock()
	floor := s.floor
	s.roomsMu.RUnlock()
	s.queueMu.Lock()
	changes, settled := s.actualChanges, s.settled
	noted := s.notedChanges == changes
	s.queueMu.Unlock()

	b := s.wal.Begin()
	if open {
		b = wal.AppendRecord(b, recordOpen, func(b []byte) []byte { return b })
	}
	learnt := s.learnt.Swap(false)
	state := s.retell || learnt
	if state {
		b = s.appendState(b, s.wal.File())
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
		known := t.room.gone.Load() || !t.again && t.passed <= t.room.logged // floor tells, or a later message does
		p := place{head: t.passed, left: t.passed + 1, starts: t.room.starts}
		t.room.mu.Unlock()
		if t.needed = !known; t.needed {
			b = wal.AppendRecord(b, recordPlace, func(b []byte) []byte { return p.append(appendText(b, t.room.name)) })
		}
	}
	turned, err = s.wal.Commit(b, first, last, s.reusable(s.checkpointed.Load()))
	if err != nil {
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
// The history is told by the next checkpoint, also where a later message tells it in the log: it may have older messages of the
// room still, which would come back at a start with a hole behind them.
func (s *Store) wereTold(list []tale, last uint64) {
	for _, t := range list {
		t.room.mu.Lock()
		if t.needed {
			t.room.logged = max(t.room.logged, t.passed)
		}
		t.room.leave(t.passed + 1)
		t.room.mu.Unlock()
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
		}
		s.tellLaterLocked(t.room, last)
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
// less than that while the log alone tells of some rooms.
func (s *Store) reusable(seq uint64) uint64 {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	if len(s.told) > 0 {
		seq = min(seq, s.toldFrom-1)
	}
	if len(s.telling) > 0 {
		seq = min(seq, s.tellingFrom-1)
	}
	return seq
}

// appendState appends the record that says how the store was opened.
func (s *Store) appendState(b []byte, f *os.File) []byte {
	st := s.state(false)
	s.queueMu.Lock()
	st.changes = s.actualChanges
	s.queueMu.Unlock()
	st.identity = s.cfg.identify(f)
	return wal.AppendRecord(b, recordStart, st.append)
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

// newLog makes a log that holds all that the history does not, in the place of the one there was,
// whatever became of that.
func (s *Store) newLog() error {
	path := s.logPath() + ".new"
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	l, err := s.fillLog(f)
	if err == nil {
		err = durable.Rename(path, s.logPath())
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(path))
	}
	if s.wal != nil {
		_ = s.wal.File().Close() // its errors are why it is closed
	}
	s.wal, s.walSuspect = l, false
	s.erasedAnew()
	return nil
}

func (s *Store) fillLog(f *os.File) (*wal.Log, error) {
	if err := lockFile(f, false); err != nil {
		return nil, err
	}
	gen, number := uint64(0), uint64(0)
	if s.wal != nil {
		gen, number = s.wal.Position()
	}
	l, err := wal.Create(f, s.id, s.cfg.LogBytes/2, gen, number)
	if err != nil {
		return nil, err
	}
	old := s.wal
	if err := s.appendStart(l, false); err != nil {
		return nil, err
	}
	s.wal = l
	defer func() { s.wal = old }()
	s.toldFloor = 0
	if err := s.refill(); err != nil {
		return nil, err
	}
	return l, nil
}

// refill has a new log tell what the old one did, and no more: while what displaced some messages is in the
// queue, those that it displaced are what was acknowledged.
func (s *Store) refill() error {
	s.queueMu.Lock()
	recent, closedAt, unclosed := slices.Clone(s.recent), s.closedAt, s.unclosed
	var told []tale
	for _, r := range slices.Concat(s.told, s.telling) {
		if r.placed > 0 {
			told = append(told, tale{room: r, passed: r.placed, again: true})
		}
	}
	s.queueMu.Unlock()
	upTo := func(seq uint64) (part []*entry) {
		n := 0
		for n < len(recent) && recent[n].seq <= seq {
			n++
		}
		part, recent = recent[:n], recent[n:]
		return part
	}
	if part := upTo(unclosed); len(part) > 0 {
		if err := s.appendAll(part, true); err != nil {
			return err
		}
		b := wal.AppendRecord(s.wal.Begin(), recordNeverClosed, func(b []byte) []byte { return b })
		last := part[len(part)-1].seq
		turned, err := s.wal.Commit(b, last, last, s.reusable(s.checkpointed.Load()))
		if err != nil {
			return err
		}
		s.retell = s.retell || turned
	}
	if err := s.appendAll(upTo(closedAt), false); err != nil {
		return err
	}
	for len(told) > 0 {
		n := min(len(told), placesPerCommit)
		if _, err := s.append(nil, false, told[:n]); err != nil {
			return err
		}
		told = told[n:]
	}
	return s.appendAll(recent, true)
}

// placesPerCommit is so many that they fit into half of the smallest half of a log: each takes up to 1,024 bytes for a name.
const placesPerCommit = 16

// appendAll commits these in as many batches as it takes.
func (s *Store) appendAll(list []*entry, open bool) error {
	for most := s.mostPerCommit(); len(list) > 0; {
		n, bytes := 0, 0
		for n < len(list) && bytes < most {
			bytes += int(list[n].cost)
			n++
		}
		if _, err := s.append(list[:n], open, nil); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}
