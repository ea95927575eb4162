package server

import (
	"io"
	"sync/atomic"
	"time"
)

// backups counts those that the server at work was asked for. It may be used from any goroutine.
type backups struct {
	made, failed atomic.Uint64
	last         atomic.Int64 // nanoseconds after the start when the last was made; 0 is none
}

// Backup makes one.
func (b backend) Backup(w io.Writer) error {
	err := b.history().Backup(w)
	if err != nil {
		b.backups.failed.Add(1)
		return err
	}
	b.backups.made.Add(1)
	b.backups.last.Store(int64(max(1, time.Since(b.began))))
	return nil
}

// since returns how long ago the last was made, in seconds. It is false if there was none since the start.
func (s *Server) sinceBackup() (seconds float64, ok bool) {
	last := time.Duration(s.backups.last.Load())
	return (time.Since(s.began) - last).Seconds(), last != 0
}
