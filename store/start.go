package store

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"time"

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
		s.id, s.runs = rand.Uint64()|1, 1
		s.openEpoch(epoch{}, 1)
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

// An origin is what a start knows of where its files come from.
type origin struct {
	kept    bool // closed in order: the run of numbers goes on
	lossy   bool // messages that were on disk are gone
	forked  bool // there may be another line of this store, which gave numbers that are not known here
	useLog  bool // what the log has goes on where the history ends
	dropLog bool // it is put aside
	convert bool // the history is of the format of before there was a log
	why     string
}

// origin compares what the files say of themselves and of each other.
func (s *Store) origin(f *os.File, made bool, logFile *os.File, sc *scan, st state, l logged) (o origin) {
	usable := l.exists && l.err == nil
	switch {
	case sc.fresh && !l.exists:
		if !made {
			s.log.Warn("store empty", "why", "its file has no bytes, and there is no log")
		}
		return origin{}
	case sc.fresh && usable && l.changes == 0:
		o.useLog = true // it was never closed, nor was half a log written
	case sc.fresh:
		o = origin{lossy: true, useLog: usable, dropLog: !usable, why: "the history is empty, and its log is not"}
	case sc.state == nil || st.epochs == nil: // damaged
		o = origin{lossy: true, useLog: usable, dropLog: l.exists && !usable}
	case st.old:
		o = origin{convert: true, kept: st.clean && !sc.torn && !l.exists, lossy: sc.torn, dropLog: l.exists}
		if l.exists {
			o.forked, o.why = true, "the history is of an older version than the log"
		}
	case !usable || l.contents.ID != st.id:
		o = origin{dropLog: l.exists, forked: st.clean, lossy: !st.clean, why: "the log is missing or is another store's"}
		if l.err != nil {
			o.why = fmt.Sprintf("the log is damaged: %v", l.err)
		}
	case st.changes < l.changes && sc.torn:
		o = origin{lossy: true, useLog: true, why: "the last change of the history is lost"}
	case st.changes < l.changes:
		o = origin{forked: true, dropLog: true, why: "the history is older than the log"}
	case l.start.runs < st.runs:
		o = origin{forked: st.clean, lossy: !st.clean, dropLog: true, why: "the log is older than the history"}
	default:
		o.useLog = true
		o.kept = st.clean && st.runs == l.start.runs && len(l.entries) == 0
		if l.contents.Missing > 0 && !o.kept {
			o.lossy, o.why = true, fmt.Sprintf("%d batches of the log are damaged", l.contents.Missing)
		}
	}
	if !o.forked && !o.lossy && !s.sameFiles(f, logFile, sc, st, l) {
		o.forked, o.why = true, "the files are not those that were last written here"
	}
	o.lossy = o.lossy || sc.damaged()
	o.kept = o.kept && !o.lossy && !o.forked
	return o
}

// sameFiles says if the files are those that this store wrote last.
func (s *Store) sameFiles(f, logFile *os.File, sc *scan, st state, l logged) bool {
	if st.old {
		return true // it does not tell
	}
	last := time.Unix(0, int64(st.time))
	if !sc.fresh && st.identity != s.cfg.identify(f) {
		return false
	}
	if l.exists && l.err == nil {
		if l.start.identity != s.cfg.identify(logFile) {
			return false
		}
		if l.contents.Last.After(last) {
			last = l.contents.Last
		}
		if s.cfg.checkTouched && touchedSince(logFile, last) {
			return false
		}
	}
	return sc.fresh || !s.cfg.checkTouched || !touchedSince(f, last)
}

// begin fills the store with what the files have, and opens an epoch if the run of numbers does not go on:
// some may have been delivered and then lost with the power, and must not stand for
// other messages.
func (s *Store) begin(o *origin, sc *scan, st state, l logged) {
	s.id, s.runs = st.id, max(st.runs, l.start.runs)+1
	if s.id == 0 && o.useLog {
		s.id = l.contents.ID
	}
	if s.id == 0 {
		s.id = rand.Uint64() | 1
	}
	s.actualChanges, s.notedChanges = max(st.changes, l.changes), l.changes
	s.checkpointed.Store(st.checkpoint)
	places := s.load(sc, st)
	if sc.damaged() { // which reading the messages may have shown
		o.lossy, o.kept = true, false
	}
	if o.useLog {
		s.floor = max(s.floor, l.start.floor, l.floor)
		if l.start.runs > st.runs && l.start.epochs != nil {
			es := l.start.epochs
			s.epochs.Store(&es)
		}
		for i := range l.entries {
			s.loadLogged(&l.entries[i], !o.lossy && l.closed(l.entries[i].opened))
		}
		for name, p := range l.places {
			s.loadPlace(name, p.place, !o.lossy && l.closed(p.opened))
		}
	}
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
	if !o.kept {
		s.openEpoch(epoch{lossy: o.lossy, forked: o.forked}, s.numbered())
		s.settled, s.target, s.closedAt = s.given.Load(), s.given.Load(), s.given.Load()
	}
	s.loaded = true
}

// loadLogged adds a message of the log. What is missing in front of it left the buffer before it was
// written, and with it all that is older, if the log is closed there; else it is lost.
func (s *Store) loadLogged(m *loggedMessage, closed bool) {
	id := m.rec.Message.ID
	if m.rec.Room == "" || len(m.rec.Room) > maxRoomName || id.Offset == 0 {
		return
	}
	r := s.rooms[m.rec.Room]
	if r == nil {
		r = s.addRoom(m.rec.Room, 0)
	}
	s.given.Store(max(s.given.Load(), m.seq))
	if id.Offset <= r.head {
		return
	}
	if closed && id.Offset > r.head+1 {
		s.clearTo(r, id.Offset-1)
	}
	s.skipTo(r, id.Offset-1)
	e := &entry{seq: m.seq, room: r, msg: m.rec.Message, key: m.rec.Key}
	e.cost = uint32(costOf(r.name, &e.msg, e.key))
	known, ok := s.epochs.Load().find(id.Epoch)
	if !ok {
		known = epoch{name: id.Epoch}
	}
	r.add(known, e.seq, e.cost)
	r.pending.push(e)
	s.bytes.Add(int64(e.cost))
	if e.key != "" {
		r.remember(maphash.String(s.seed, e.key))
	}
	s.recent = append(s.recent, e)
	s.trimCount(r)
}

// loadPlace adds what the log says of a room whose newest messages it does not have.
func (s *Store) loadPlace(name string, p place, closed bool) {
	r := s.rooms[name]
	if r == nil {
		r = s.addRoom(name, 0)
	}
	if p.head <= r.head {
		return
	}
	if closed {
		s.clearTo(r, p.head)
	}
	s.skipTo(r, p.head)
	s.trimCount(r)
	r.starts = p.starts
	r.version++
	r.leave(p.left)
	s.queueMu.Lock()
	r.passed = p.head
	s.tellLaterLocked(r)
	s.queueMu.Unlock()
}

// clearTo takes all that a room has out of the buffer and goes on behind head.
func (s *Store) clearTo(r *room, head uint64) {
	for r.slots.len() > 0 {
		s.dropOldest(r)
	}
	r.head = head
	r.leave(head + 1)
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
		s.suspect = !isFull(err)
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
		if logFile != nil && o.useLog && l.contents.Missing == 0 {
			s.wal = l.contents.Log(logFile)
			err = s.appendStart(s.wal)
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
		if o.kept { // the files look closed in order, so their epoch may go on: elsewhere
			s.openEpoch(epoch{}, s.numbered())
			s.settled, s.target, s.closedAt = s.given.Load(), s.given.Load(), s.given.Load()
		}
		s.walSuspect = true
		s.degrade(err)
	}
	if len(s.recent) > 0 {
		s.requestFold()
	}
	return nil
}

// adopt makes f, which was scanned and is whole, the history.
func (s *Store) adopt(f *os.File, readOnly bool, sc *scan) error {
	h := &history{file: f, path: s.cfg.Path, readOnly: readOnly, tally: sc.tally(), quota: s.cfg.quota, identify: s.cfg.identify}
	if n := len(sc.messages); n > 0 {
		h.last = sc.messages[n-1].seq
	}
	s.replaceHistory(h)
	if sc.fresh {
		s.view.Store(nil)
		return nil
	}
	v, err := openView(f)
	if err != nil {
		return err
	}
	s.view.Store(v)
	return nil
}

// adoptRebuilt makes a new file of what can be read from f, and that the history. Until
// there is one, readers go by f as far as it goes.
func (s *Store) adoptRebuilt(f *os.File, sc *scan, aside bool) error {
	h, err := s.rebuild(f, sc, aside)
	if err != nil {
		_ = s.adopt(f, false, sc)
		return err
	}
	s.replaceHistory(h)
	_ = f.Close()
	v, err := openView(h.file)
	if err != nil {
		return err
	}
	s.view.Store(v)
	return nil
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
	if rebuild := !sc.fresh && (sc.damaged() || lost > 0 || foreign || sc.freelist == noFreelist); !rebuild {
		err = s.adopt(f, readOnly, sc)
	} else if readOnly {
		_ = f.Close()
		err = &fs.PathError{Op: "write", Path: s.cfg.Path, Err: syscall.EROFS}
	} else {
		err = s.adoptRebuilt(f, sc, true)
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
	h, err := s.rebuild(old.file, sc, err == nil)
	if err != nil {
		return false, err
	}
	s.replaceHistory(h)
	v, err := openView(h.file)
	if err == nil {
		s.view.Store(v)
		s.log.Warn("history written anew", "why", errReplaced)
	}
	return true, err
}

// openEpoch begins a new run of numbers.
func (s *Store) openEpoch(why epoch, atLeast uint64) {
	next := s.epochs.Load().next(why, atLeast)
	s.epochs.Store(&next)
	s.given.Store(max(s.given.Load(), next.now().n<<epochShift))
}
