package store

import (
	"errors"
	"os"
	"slices"

	"edgechat/internal/durable"
	"edgechat/store/wal"
)

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
	s.loggedRuns.Store(s.runs)
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
	s.untellReplaced(1)
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
		if err := s.appendAll(part, 0); err != nil {
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
	closes := max(closedAt, 1)
	if err := s.appendAll(upTo(closedAt), closes); err != nil {
		return err
	}
	for len(told) > 0 || s.replacedUntold(closes) {
		n := min(len(told), placesPerCommit)
		if _, err := s.append(nil, closes, told[:n]); err != nil {
			return err
		}
		told = told[n:]
	}
	return s.appendAll(recent, 0)
}

// placesPerCommit is so many that they fit into half of the smallest half of a log: each takes up to 1,024 bytes for a name.
const placesPerCommit = 16

// appendAll commits these in as many batches as it takes.
func (s *Store) appendAll(list []*entry, closes uint64) error {
	for most := s.mostPerCommit(); len(list) > 0; {
		n, bytes := 0, 0
		for n < len(list) && bytes < most {
			bytes += int(list[n].cost)
			n++
		}
		if _, err := s.append(list[:n], closes, nil); err != nil {
			return err
		}
		list = list[n:]
	}
	return nil
}
