package store

import (
	"sync/atomic"
	"time"

	"edgechat/metrics"
)

// Stats is what a store has done since it was opened, and what it holds now.
// It is counted as it goes, not at one moment.
type Stats struct {
	Epoch        string // the present one
	Start        Start  // what the store was found as
	Degraded     bool   // messages are in memory alone
	Rooms        int    // that are remembered, also without messages
	Bytes        int64  // in the buffer, by Config.HistoryBytes
	Pending      int    // messages that are not on disk yet
	Recent       int    // messages that are in the log and not in the history
	PendingBytes int
	Waiting      int // receipts that are waited for
	Removals     int // messages that left the buffer and are still in the file

	Written     uint64            // messages committed to the log
	Commits     uint64            // of the log: each is a write and a flush
	Failures    uint64            // commits that failed
	CommitTime  time.Duration     // spent in commits, all together, the failed ones too
	CommitTimes metrics.Durations // of each of Commits
	LogBytes    uint64            // written to the log
	Removed     uint64            // messages removed from the history

	Folds        uint64 // transactions of the history
	Folded       uint64 // messages that they have put there
	FoldFailures uint64
	FoldBytes    uint64 // that they have written
	Unerased     bool   // a file may hold what revisions that are on disk took away
	Erased       uint64 // times that what revisions took away was overwritten in both files

	Duplicates uint64 // messages that were not appended because of their key
	Refused    uint64 // receipts told at once, since Config.MaxWaiting waited already
	Trimmed    uint64 // messages that left the buffer
	Unwritten  uint64 // of these: before they were on disk
	Squeezed   uint64 // times that an eighth of the buffer was given up because the file had reached its quota
	Forgotten  uint64 // rooms beyond Config.Rooms, and those without messages beyond Config.RememberedRooms

	Rereads  uint64 // pages looked up again because messages left the file meanwhile
	Late     uint64 // reads that were given up after Config.ReadWait
	Lost     uint64 // messages that were in the buffer and could not be read again
	Salvages uint64 // times that a damaged file was put aside
	Reopens  uint64 // times that the file was opened anew
	Retries  uint64 // attempts to leave the degraded state
}

// A Start is what a store was found as when it was opened.
type Start string

// Starts. After all but StartInOrder an epoch begins.
const (
	StartEmpty   Start = "empty"    // nothing was there
	StartInOrder Start = "in_order" // as it was closed
	StartCrash   Start = "crash"    // not closed: the process was killed, or the power was cut
	StartCopy    Start = "copy"     // a backup that was restored, or files that were copied or older than they should be
	StartDamage  Start = "damage"   // messages that were on disk are gone
	StartNoFile  Start = "no_file"  // no file could be opened: the store begins in memory
)

// Starts returns all.
func Starts() []Start {
	return []Start{StartEmpty, StartInOrder, StartCrash, StartCopy, StartDamage, StartNoFile}
}

type counters struct {
	written, commits, failures, removed, duplicates, refused, trimmed, unwritten, squeezed, forgotten,
	rereads, late, lost, salvages, reopens, retries, folds, folded, foldFailures, logBytes, foldBytes, erased atomic.Uint64
	commitNanos atomic.Int64
	commitTimes metrics.Histogram
}

// Stats returns a snapshot. It takes short locks, and may be called as often as metrics are.
func (s *Store) Stats() Stats {
	c := &s.count
	st := Stats{
		Epoch:        s.epochs.Load().now().name,
		Start:        s.found,
		Degraded:     s.fault.Load() != nil,
		Bytes:        s.bytes.Load(),
		Written:      c.written.Load(),
		Commits:      c.commits.Load(),
		Failures:     c.failures.Load(),
		CommitTime:   time.Duration(c.commitNanos.Load()),
		Removed:      c.removed.Load(),
		Duplicates:   c.duplicates.Load(),
		Refused:      c.refused.Load(),
		Trimmed:      c.trimmed.Load(),
		Unwritten:    c.unwritten.Load(),
		Squeezed:     c.squeezed.Load(),
		Forgotten:    c.forgotten.Load(),
		Folds:        c.folds.Load(),
		Folded:       c.folded.Load(),
		FoldFailures: c.foldFailures.Load(),
		CommitTimes:  c.commitTimes.Read(),
		LogBytes:     c.logBytes.Load(),
		FoldBytes:    c.foldBytes.Load(),
		Unerased:     s.unerased.Load(),
		Erased:       c.erased.Load(),
		Rereads:      c.rereads.Load(),
		Late:         c.late.Load(),
		Lost:         c.lost.Load(),
		Salvages:     c.salvages.Load(),
		Reopens:      c.reopens.Load(),
		Retries:      c.retries.Load(),
	}
	s.roomsMu.RLock()
	st.Rooms = len(s.rooms)
	s.roomsMu.RUnlock()
	s.queueMu.Lock()
	st.Pending, st.PendingBytes = len(s.queue), s.queueBytes
	st.Waiting, st.Removals, st.Recent = len(s.waits), s.removalCount, len(s.recent)
	s.queueMu.Unlock()
	return st
}
