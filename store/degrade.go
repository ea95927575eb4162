package store

import (
	"errors"
	"fmt"
	"time"
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

// Warning returns what is wrong and keeps no message from the disk, nil if nothing is: the disk
// is memory, so that receipts say false for ever, or the history cannot be written, and the log will be full in
// the end.
func (s *Store) Warning() error {
	if s.volatile != "" {
		return fmt.Errorf("store: %s: messages do not survive a power cut: %s", s.cfg.Path, s.volatile)
	}
	if f := s.foldFault.Load(); f != nil {
		return fmt.Errorf("store: %s: the history cannot be written since %s: %w", s.cfg.Path, f.since.UTC().Format(time.RFC3339), f.err)
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
	s.tellLocked(false, func(wait) bool { return true })
	s.queueMu.Unlock()
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

// mend sees to it that there are files to write to. A disk that was full
// needs nothing, since a batch that failed is written again in the same place. After any other error what
// the log holds is not trusted: a failed fsync may have dropped what it was to write, and the next one
// succeeds (Rebello et al., "Can Applications Recover from fsync Failures?", 2020). All that the
// history does not have is still in memory, so a new log is made of that.
func (s *Store) mend() error {
	if !s.walSuspect && s.wal != nil {
		return nil
	}
	v := s.view.Load()
	if s.wal == nil || v == nil || ours(s.cfg.Path, v.named) != nil {
		// The history goes first: its lock says that no other process is there.
		done := make(chan error, 1)
		s.folds <- fold{reopen: true, done: done}
		if err := <-done; err != nil {
			return err
		}
	}
	return s.newLog()
}
