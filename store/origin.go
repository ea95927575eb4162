package store

import (
	"fmt"
	"os"
	"time"
)

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

// start says it in a word. empty says that nothing was there.
func (o *origin) start(empty bool) Start {
	switch {
	case empty:
		return StartEmpty
	case o.kept:
		return StartInOrder
	case o.lossy:
		return StartDamage
	case o.forked:
		return StartCopy
	}
	return StartCrash
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
		if l.missing > 0 && !o.kept {
			o.lossy, o.why = true, fmt.Sprintf("%d batches of the log are damaged", l.missing)
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
