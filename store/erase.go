package store

import (
	"errors"
	"time"

	"edgechat/store/wal"
)

// soiledLocked notes that the log holds revisions, and with them what they took away.
func (s *Store) soiledLocked(batch []*entry) {
	for _, e := range batch {
		if recordOf(&e.msg) == recordRevision {
			s.dirty = e.seq
			s.unerased.Store(true)
		}
	}
}

func (s *Store) isDirty() bool {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	return s.dirty != 0
}

// eraseSome overwrites a part of what the log holds, once the history has all of it and has lost what revisions took
// away. It says if there is more to do at once. The committer calls it, between commits: a slow card has acks
// wait no longer than a step takes.
func (s *Store) eraseSome() (more bool) {
	if s.fault.Load() != nil || s.wal == nil {
		return false
	}
	upTo := s.wiped.Load()
	s.queueMu.Lock()
	begin := s.dirty != 0 && s.dirty <= upTo && !s.erasing
	if begin {
		s.dirty = 0
	}
	closes := s.closesLocked(s.settled)
	s.queueMu.Unlock()
	if begin {
		s.erasing = true
		s.wal.Forget()
	}
	if !s.erasing {
		return false
	}
	s.commitBegan.Store(int64(max(1, time.Since(s.opened)))) // Ready is to tell of a card that hangs here, too
	defer s.commitBegan.Store(0)
	state, err := wal.Erasing, error(nil)
	if s.retell { // the half in use does not say yet how the store was opened, and the other is about to go
		err = s.restate(closes)
	} else if state, err = s.wal.Erase(s.reusable(upTo)); state == wal.InUse && err == nil {
		s.wal.Turn()
		s.retell = true
		err = s.restate(closes)
	}
	if errors.Is(err, wal.ErrFull) {
		state, err = wal.Blocked, nil
	}
	switch {
	case err != nil:
		s.walSuspect = true // a new one is made, without what this one holds
		s.degrade(err)
		return false
	case state == wal.Blocked:
		if s.foldFault.Load() == nil {
			s.requestFold()
		}
		return false
	case state == wal.Erased:
		s.erasing = false
		s.queueMu.Lock()
		s.unerased.Store(s.dirty != 0)
		s.queueMu.Unlock()
		s.count.erased.Add(1)
	}
	return true
}

// restate commits a batch that says how the store was opened.
func (s *Store) restate(closes uint64) error {
	commit := func() error {
		var told []tale
		if closes != 0 {
			told = s.untoldRooms()
		}
		_, err := s.append(nil, closes, told)
		return err
	}
	if s.cfg.aroundCommit != nil {
		return s.cfg.aroundCommit(commit)
	}
	return commit()
}

// erasedAnew notes that there is a new log, which holds what is in recent alone.
func (s *Store) erasedAnew() {
	s.queueMu.Lock()
	defer s.queueMu.Unlock()
	s.erasing = false
	if s.dirty <= s.wiped.Load() { // else the history has traces still
		s.dirty = 0
	}
	s.unerased.Store(s.dirty != 0)
	s.soiledLocked(s.recent)
}
