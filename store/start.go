package store

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"

	"edgechat/internal/durable"
	"edgechat/store/wal"
)

// start opens both files and fills the store from them.
func (s *Store) start() error {
	f, readOnly, made, err := openFile(s.cfg.Path, true)
	if err != nil && !isBroken(err) {
		return err
	}
	if s.volatile = volatile(filepath.Dir(s.cfg.Path)); s.volatile != "" {
		s.log.Warn("store not durable", "why", s.volatile)
	}
	var sc *scan
	if err == nil {
		if sc, err = scanFile(f); err != nil {
			_ = f.Close()
		}
	}
	if err != nil { // without its file the store begins anew, in memory
		if s.id, s.runs = rand.Uint64()|1, 1; s.cfg.Follow {
			s.unnumbered()
		} else {
			s.openEpoch(epoch{}, 1)
		}
		s.found = StartNoFile
		s.degrade(err)
		return nil
	}
	if sc.backup {
		return errors.Join(&fs.PathError{Op: "open", Path: s.cfg.Path, Err: ErrBackup}, f.Close())
	}
	st, err := sc.readState()
	if errors.Is(err, ErrNewer) {
		return errors.Join(err, f.Close())
	}
	logFile, l, err := s.openLog(st, sc, readOnly)
	if err != nil && !isBroken(err) && !errors.Is(err, syscall.EROFS) {
		return errors.Join(err, f.Close())
	}
	if err != nil {
		l = logged{exists: true, err: err}
	}
	if !readOnly {
		_ = os.Remove(s.newPath()) // of a salvage that power cut short
		_ = os.Remove(s.logPath() + ".new")
		if err := durable.Sweep(filepath.Dir(s.cfg.Path), backupTemp, restoreTemp, importTemp); err != nil {
			s.log.Warn("store cannot remove what was left", "err", err)
		}
	}
	if !readOnly && !sc.fresh && sc.unfinished() && l.exists && l.err == nil && l.changes == 0 {
		// Power was cut while bbolt made the file, before anything was in it.
		if err := f.Truncate(0); err != nil && !isBroken(err) {
			return errors.Join(err, f.Close())
		}
		sc = &scan{file: f, fresh: true}
	}
	o := s.origin(f, made, logFile, sc, st, l)
	s.begin(&o, sc, st, l)
	return s.openFiles(f, readOnly, logFile, sc, st, l, o)
}

// openLog opens and reads the log that belongs to a file with this state.
func (s *Store) openLog(st state, sc *scan, readOnly bool) (*os.File, logged, error) {
	flags := os.O_RDWR
	if readOnly {
		flags = os.O_RDONLY
	}
	f, err := os.OpenFile(s.logPath(), flags, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, logged{}, nil
	}
	if err != nil {
		return nil, logged{}, err
	}
	if err := lockFile(f, readOnly); err != nil {
		return nil, logged{}, errors.Join(err, f.Close())
	}
	l, err := readLog(f, st.checkpoint, !st.clean || sc.damaged())
	if err != nil {
		return nil, l, errors.Join(err, f.Close())
	}
	return f, l, nil
}

// begin fills the store with what the files have, and opens an epoch if the run of numbers does not go on:
// some may have been delivered and then lost with the power, and must not stand for
// other messages.
func (s *Store) begin(o *origin, sc *scan, st state, l logged) {
	s.id, s.runs = st.id, max(st.runs, l.start.runs)+1
	s.loggedRuns.Store(s.runs - 1)
	if s.id == 0 && o.useLog {
		s.id = l.contents.ID
	}
	if s.id == 0 {
		s.id = rand.Uint64() | 1
	}
	s.actualChanges, s.notedChanges = max(st.changes, l.changes), l.changes
	s.checkpointed.Store(st.checkpoint)
	s.forks.Store(st.forks)
	if o.useLog && l.revised != 0 {
		s.shed = make(map[spot]uint64)
	}
	places := s.load(sc, st)
	if sc.damaged() { // which reading the messages may have shown
		o.lossy, o.kept = true, false
	}
	if o.useLog {
		if !s.cfg.Follow {
			s.floor = max(s.floor, l.start.floor, l.floor)
		}
		s.replaced = l.replaced
		s.dirty, s.soiled = l.revised, l.revised != 0 // whether power was cut before all of that was erased is not known
		if newer := l.start.runs > st.runs || s.cfg.Follow && l.start.newest() > st.newest(); newer && l.start.epochs != nil {
			es := l.start.epochs
			s.epochs.Store(&es)
			s.forks.Store(l.start.forks)
		}
		for i := range l.entries {
			e := &l.entries[i]
			closed := !o.lossy && l.closed(e.opened)
			if s.loadLogged(e, closed); !closed {
				s.unclosed = e.seq
			}
		}
		for name, p := range l.places {
			s.loadPlace(name, p.place, p.last, !o.lossy && l.closed(p.opened))
		}
	} else {
		s.soiled = !sc.fresh // the log that would tell is not there
	}
	s.shed = nil
	s.finishLoad(places)
	seq := max(s.given.Load(), st.checkpoint)
	s.given.Store(seq)
	s.settled, s.target, s.closedAt, s.atTarget = seq, seq, seq, 0
	s.released, s.removals = s.removals, nil
	if sc.damaged() {
		s.count.salvages.Add(1)
		s.log.Error("store damaged", "problems", sc.problems, "count", sc.unclean, "messages", sc.distinct)
	}
	if o.why != "" && (o.lossy || o.forked) {
		s.log.Warn("store begins an epoch", "why", o.why)
	}
	switch {
	case s.cfg.Follow:
		s.unnumbered()
	case !o.kept:
		s.openEpoch(epoch{lossy: o.lossy, forked: o.forked}, s.numbered())
		s.settled, s.target, s.closedAt = s.given.Load(), s.given.Load(), s.given.Load()
	}
	s.loaded = true
	s.found = o.start(sc.fresh && !l.exists)
	s.log.Info("store opened", "found", s.found, "epoch", s.epochs.Load().now().name, "rooms", len(s.rooms), "log", len(s.recent))
}

// openFiles gets the files ready to be written to. What goes wrong there is no error of Open.
func (s *Store) openFiles(f *os.File, readOnly bool, logFile *os.File, sc *scan, st state, l logged, o origin) error {
	errReadOnly := &fs.PathError{Op: "write", Path: s.cfg.Path, Err: syscall.EROFS}
	var err error
	if rebuild := !sc.fresh && (sc.damaged() || o.convert || sc.freelist == noFreelist); rebuild && !readOnly {
		err = s.adoptRebuilt(f, sc, !o.convert || sc.damaged())
	} else {
		err = s.adopt(f, readOnly, sc)
		if err == nil && sc.fresh && !readOnly {
			err = durable.SyncDir(filepath.Dir(s.cfg.Path))
		}
	}
	if err != nil { // the history has time
		s.suspect = s.suspect || !isFull(err)
		s.noteFoldFault(err)
		err = nil
	}
	if readOnly {
		err = errReadOnly
	}
	if err == nil && o.dropLog {
		if logFile != nil {
			_ = logFile.Close()
			logFile = nil
		}
		err = s.putLogAside()
	}
	if err == nil {
		if logFile != nil && o.useLog && l.missing == 0 {
			s.wal = l.contents.Log(logFile)
			s.erasing = s.wal.Stale()
			s.unerased.Store(s.erasing || s.soiled)
			err = s.appendStart(s.wal, l.open)
			if err == nil {
				s.loggedRuns.Store(s.runs)
			}
			if errors.Is(err, wal.ErrFull) { // the halves are full of what the history does not have
				err = s.newLog()
			}
		} else {
			if logFile != nil {
				_ = logFile.Close()
			}
			err = s.newLog()
		}
	} else if logFile != nil {
		_ = logFile.Close()
	}
	if err != nil {
		if o.kept && !s.cfg.Follow { // the files look closed in order, so their epoch may go on: elsewhere
			s.openEpoch(epoch{}, s.numbered())
			s.settled, s.target, s.closedAt = s.given.Load(), s.given.Load(), s.given.Load()
		}
		s.walSuspect = true
		s.degrade(err)
	}
	if len(s.recent) > 0 || s.soiled {
		s.requestFold()
	}
	return nil
}

// unnumbered has a follower that knows no epoch begin with one of its own, in which nothing is ever numbered.
func (s *Store) unnumbered() {
	if len(*s.epochs.Load()) == 0 {
		s.epochs.Store(&epochs{{name: newEpochName()}})
	}
}

// openEpoch begins a new run of numbers.
func (s *Store) openEpoch(why epoch, atLeast uint64) {
	next := s.epochs.Load().next(why, atLeast)
	s.epochs.Store(&next)
	s.forks.Store(false)
	s.given.Store(max(s.given.Load(), next.now().n<<epochShift))
}
