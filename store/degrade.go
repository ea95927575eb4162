package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"edgechat/internal/durable"
)

// A fault is why the store is degraded: messages are in memory alone.
type fault struct {
	err   error
	since time.Time
}

var errNoDisk = errors.New("there is no file that could be written to")

// Ready returns nil while messages reach the disk, else why they do not: the
// store is degraded, a commit takes longer than Config.StallAfter, or the store is closed.
func (s *Store) Ready() error {
	if s.closed.Load() {
		return ErrClosed
	}
	if f := s.fault.Load(); f != nil {
		return fmt.Errorf("store: %s: messages are in memory alone since %s: %w",
			s.cfg.Path, f.since.UTC().Format(time.RFC3339), f.err)
	}
	if began := s.commitBegan.Load(); began != 0 {
		if taken := time.Since(s.opened) - time.Duration(began); taken > s.cfg.StallAfter {
			return fmt.Errorf("store: %s: the disk has not answered for %s", s.cfg.Path, taken.Round(time.Second))
		}
	}
	return nil
}

// degrade notes that err keeps messages from the disk, tells all who wait, and
// sets when to try again.
func (s *Store) degrade(err error) {
	s.queueMu.Lock()
	before := s.fault.Load()
	f := &fault{err: err, since: time.Now()}
	if before != nil {
		f.since = before.since
		s.retryDelay = min(2*s.retryDelay, maxRetryDelay)
	} else {
		s.retryDelay = s.cfg.RetryDelay
	}
	s.fault.Store(f) // under queueMu, so that from here on nobody waits
	s.retryAt = time.Now().Add(s.retryDelay)
	s.queueMu.Unlock()
	s.settle(^uint64(0), false)
	if before == nil {
		s.log.Error("store degraded", "err", err)
	}
}

// mended notes that the disk takes messages again.
func (s *Store) mended() {
	f := s.fault.Load()
	s.queueMu.Lock()
	s.fault.Store(nil)
	s.queueMu.Unlock()
	s.log.Info("store recovered", "degraded", time.Since(f.since).Round(time.Millisecond), "err", f.err)
}

// mendDisk sees to it that there is a file to write to. A disk that was full
// needs nothing. After any other error what bbolt holds is not trusted: a failed
// fsync may have dropped what it was to write, and the next one succeeds (Rebello
// et al., "Can Applications Recover from fsync Failures?", 2020).
func (s *Store) mendDisk() error {
	if s.disk != nil && !s.suspect {
		if !s.disk.readOnly {
			return nil
		}
		// Cheaper than to open and scan a file that still takes no writes.
		f, err := os.OpenFile(s.cfg.Path, os.O_RDWR, 0)
		if err != nil {
			return err
		}
		_ = f.Close()
	}
	return s.reopen()
}

// start opens the file and fills the store from it.
func (s *Store) start() error {
	f, readOnly, err := openFile(s.cfg.Path, true)
	if err != nil && !isBroken(err) {
		return err
	}
	var sc *scan
	if err == nil {
		if sc, err = scanFile(f); err != nil {
			_ = f.Close()
		}
	}
	if err != nil { // without its file the store begins anew, in memory
		s.openEpoch(false, 1)
		s.degrade(err)
		return nil
	}
	if !readOnly {
		_ = os.Remove(s.newPath()) // of a salvage that power cut short
	}
	clean := s.load(sc)
	s.loaded = true
	if sc.damaged() {
		s.count.salvages.Add(1)
		s.log.Error("store damaged", "problems", sc.problems, "count", sc.unclean, "messages", len(sc.messages))
	} else if sc.torn {
		s.log.Warn("store lost its last commit", "messages", len(sc.messages))
	}
	// A run of numbers goes on only if the file holds each that was given.
	// Otherwise some may have been delivered and then lost with the power, and
	// must not stand for other messages.
	kept := clean && !sc.damaged() && !sc.torn
	if !kept {
		s.openEpoch(sc.damaged() || sc.torn, s.numbered())
	}
	err = s.adopt(f, readOnly, sc, sc.damaged())
	if err == nil {
		// The file has to say that it is in use before the first number is given: a
		// message is delivered before it is committed, and if power fails in
		// between, the next start must not find a file that looks closed in order.
		err = s.write(nil, false)
	}
	if err != nil {
		if kept { // the file looks closed in order, so its epoch may go on: elsewhere
			s.openEpoch(false, s.numbered())
		}
		s.suspect = s.suspect || !isFull(err)
		if s.disk != nil && s.disk.readOnly {
			s.suspect = false
		}
		s.degrade(err)
	}
	return nil
}

// reopen does what start does for a store that knows its messages: it checks
// which of them the file still holds.
func (s *Store) reopen() error {
	s.count.reopens.Add(1)
	if old := s.swapDisk(nil); old != nil {
		_ = old.close() // its errors are why it is closed
	}
	f, readOnly, err := openFile(s.cfg.Path, true)
	if err != nil {
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
	return s.adopt(f, readOnly, sc, sc.damaged() || lost > 0 || foreign)
}

// adopt makes f, which was scanned, the file of the store; a new file in its
// place if it has to be rebuilt.
func (s *Store) adopt(f *os.File, readOnly bool, sc *scan, rebuild bool) error {
	errReadOnly := &fs.PathError{Op: "write", Path: s.cfg.Path, Err: syscall.EROFS}
	if rebuild && readOnly {
		_ = f.Close()
		return errReadOnly
	}
	var d *disk
	var err error
	if rebuild {
		d, err = s.rebuild(f, sc)
		_ = f.Close()
	} else {
		d, err = openDisk(f, readOnly, s.cfg.quota)
		if err == nil {
			d.tally = sc.tally()
			if n := len(sc.messages); n > 0 {
				d.last = sc.messages[n-1].seq
			}
		}
		if err != nil && sc.fresh {
			_ = os.Truncate(s.cfg.Path, 0) // what bbolt could write of an empty file
		}
		if err == nil && sc.fresh {
			err = durable.SyncDir(filepath.Dir(s.cfg.Path))
		}
	}
	if d != nil {
		s.swapDisk(d)
		s.suspect = false
		s.loaded = true
	}
	if err == nil && readOnly {
		err = errReadOnly
	}
	return err
}

// swapDisk waits for readers of the disk that it returns.
func (s *Store) swapDisk(d *disk) *disk {
	s.diskMu.Lock()
	defer s.diskMu.Unlock()
	old := s.disk
	s.disk = d
	return old
}
