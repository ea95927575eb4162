package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// adopt makes f, which was scanned and is whole, the history.
func (s *Store) adopt(f *os.File, readOnly bool, sc *scan) error {
	h := &history{file: f, path: s.cfg.Path, readOnly: readOnly, tally: sc.tally(), quota: s.cfg.quota, identify: s.cfg.identify}
	if n := len(sc.messages); n > 0 {
		h.last = sc.messages[n-1].seq
	}
	if sc.fresh {
		s.view.Store(nil)
		s.replaceHistory(h)
		return nil
	}
	return s.showHistory(h)
}

// showHistory has readers go by h, and then ends what was before: in between commits would find a file that is closed.
func (s *Store) showHistory(h *history) error {
	v, err := openView(h.file)
	if err == nil {
		s.view.Store(v)
	}
	s.replaceHistory(h)
	return err
}

// adoptRebuilt makes a new file of what can be read from f, and that the history. Until
// there is one, readers go by f as far as it goes.
func (s *Store) adoptRebuilt(f *os.File, sc *scan, aside bool) error {
	defer s.replacing.Store(false)
	h, err := s.rebuild(f, sc, aside)
	if err != nil {
		_ = s.adopt(f, false, sc)
		s.suspect = true // it is not whole, and was not counted: nothing may be written to it
		return err
	}
	err = s.showHistory(h)
	_ = f.Close()
	return err
}

func (s *Store) replaceHistory(h *history) {
	if old := s.history; old != nil && old.file != h.file {
		_ = old.close() // its errors are why it is closed
	}
	s.history = h
	s.suspect = false
}

// reopen does what start does for a store that knows its messages: it checks
// which of them the file still holds. Readers keep to what there was until there is better.
func (s *Store) reopen() error {
	s.count.reopens.Add(1)
	old := s.history
	// The names are gone, the file is not: nothing is lost.
	if old != nil && s.loaded && ours(s.cfg.Path, old.file) != nil {
		if rescued, err := s.rescueRemoved(old); rescued || err != nil {
			return err
		}
	}
	if old != nil {
		if err := unlockFile(old.file); err != nil {
			return err
		}
	}
	f, readOnly, _, err := openFile(s.cfg.Path, true)
	if err != nil {
		if old != nil {
			err = errors.Join(err, lockFile(old.file, old.readOnly))
		}
		return err
	}
	dropCache(f)
	sc, err := scanFile(f)
	if err != nil {
		_ = f.Close()
		return err
	}
	foreign := !s.loaded && !sc.fresh
	lost := 0
	if s.loaded {
		lost = s.reconcile(sc)
	}
	if sc.damaged() || lost > 0 {
		s.count.salvages.Add(1)
		s.log.Error("store damaged", "problems", sc.problems, "count", sc.unclean, "lost", lost)
	}
	if foreign {
		_ = s.putLogAside() // it goes with that file; if there is none, so be it
	}
	if rebuild := sc.damaged() || lost > 0 || foreign || sc.freelist == noFreelist || sc.fresh && s.loaded && old != nil; !rebuild {
		err = s.adopt(f, readOnly, sc)
	} else if readOnly {
		_ = f.Close()
		err = &fs.PathError{Op: "write", Path: s.cfg.Path, Err: syscall.EROFS}
	} else {
		err = s.adoptRebuilt(f, sc, !sc.fresh)
	}
	if err == nil {
		s.loaded = true
	}
	return err
}

// rescueRemoved copies what is in the buffer from a history whose name was removed, or
// stands for another file now, to a new file of that name. It returns false if that cannot be
// read any more.
func (s *Store) rescueRemoved(old *history) (bool, error) {
	sc, err := scanFile(old.file)
	if err != nil || sc.damaged() || sc.fresh {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(s.cfg.Path), 0o700); err != nil {
		return false, err
	}
	_, err = os.Lstat(s.cfg.Path)
	if err == nil {
		f, _, _, err := openFile(s.cfg.Path, false) // another process may have it by now
		if err != nil {
			return false, err
		}
		defer f.Close()
	}
	s.reconcile(sc)
	defer s.replacing.Store(false)
	h, err := s.rebuild(old.file, sc, err == nil)
	if err != nil {
		return false, err
	}
	if err = s.showHistory(h); err == nil {
		s.log.Warn("history written anew", "why", errReplaced)
	}
	return true, err
}
