package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"edgechat/codec"
	"edgechat/internal/durable"
	"edgechat/store/wal"
)

func (s *Store) logPath() string { return logPath(s.cfg.Path) }

func logPath(path string) string { return path + "-wal" }

// append commits entries to the log, and what else it is to know.
// Open says that a later batch will have what displaced some that were passed over.
func (s *Store) append(entries []*entry, open bool) (turned bool, err error) {
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
	if s.retell {
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
	var told []tale
	if !open { // else what displaced them may not be in the log yet
		told = s.untoldRooms()
	}
	for i := range told {
		t := &told[i]
		if len(b) > s.wal.Room()/2 { // the rest comes with the next one
			told = told[:i]
			break
		}
		t.room.mu.Lock()
		known := t.room.gone.Load() || t.passed <= t.room.logged // floor tells, or a later message does
		p := place{head: t.passed, left: t.passed + 1, starts: t.room.starts}
		t.room.mu.Unlock()
		if t.needed = !known; t.needed {
			b = wal.AppendRecord(b, recordPlace, func(b []byte) []byte { return p.append(appendText(b, t.room.name)) })
		}
	}
	turned, err = s.wal.Commit(b, first, last, s.checkpointed.Load())
	if err != nil {
		return turned, err
	}
	s.retell, s.toldFloor = turned, floor
	s.wereTold(told)
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

// wereTold notes that the log knows these now, which were the first of untold.
func (s *Store) wereTold(list []tale) {
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
		if t.room.passed == t.passed { // else more of it was passed over meanwhile
			t.room.untold = false
			done[t.room] = true
		}
		if t.needed {
			s.tellLaterLocked(t.room)
		}
	}
	s.untold = slices.DeleteFunc(s.untold, func(r *room) bool { return done[r] })
}

// tellLaterLocked has the next checkpoint tell the head of a room.
func (s *Store) tellLaterLocked(r *room) {
	if !r.told && !r.gone.Load() {
		r.told = true
		s.told = append(s.told, r)
	}
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
func (s *Store) appendStart(l *wal.Log) error {
	s.queueMu.Lock()
	seq := s.settled
	s.queueMu.Unlock()
	b := s.appendState(l.Begin(), l.File())
	commit := func() error {
		_, err := l.Commit(b, seq, seq, s.checkpointed.Load())
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
	if err := s.appendStart(l); err != nil {
		return nil, err
	}
	s.queueMu.Lock()
	recent := append([]*entry(nil), s.recent...)
	s.queueMu.Unlock()
	s.wal = l
	defer func() { s.wal = old }()
	s.queueMu.Lock()
	for _, r := range s.told { // the old log did
		r.told = false
		if !r.untold && !r.gone.Load() {
			r.untold = true
			s.untold = append(s.untold, r)
		}
	}
	s.told = nil
	s.queueMu.Unlock()
	s.toldFloor = 0
	for most := s.mostPerCommit(); len(recent) > 0; {
		n, bytes := 0, 0
		for n < len(recent) && bytes < most {
			bytes += int(recent[n].cost)
			n++
		}
		if _, err := s.append(recent[:n], false); err != nil {
			return nil, err
		}
		recent = recent[n:]
	}
	return l, nil
}

// stillOurs says if what is written can be found again: whether the names of both files
// stand for those that are open. Without that a folder that was deleted or put back takes
// everything that is said, and nobody notices until the next start.
func (s *Store) stillOurs() error {
	if s.wal == nil {
		return errNoDisk
	}
	if err := ours(s.logPath(), s.wal.File()); err != nil {
		return err
	}
	if v := s.view.Load(); v != nil {
		return ours(s.cfg.Path, v.named)
	}
	return nil
}

func ours(path string, f *os.File) error {
	same, err := sameFile(path, f)
	if err == nil && !same {
		err = &fs.PathError{Op: "write to", Path: path, Err: errReplaced}
	}
	return err
}

var errReplaced = errors.New("the file was removed or replaced while it was open")

// putLogAside renames the log so that nothing of it is taken for a part of this store.
func (s *Store) putLogAside() error {
	aside := fmt.Sprintf("%s.corrupt-%s", s.logPath(), time.Now().UTC().Format(asideTime))
	err := os.Rename(s.logPath(), aside)
	if err == nil {
		s.log.Warn("log put aside", "aside", aside)
	}
	return err
}
