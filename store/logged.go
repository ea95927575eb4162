package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"edgechat/codec"
	"edgechat/store/wal"
)

// A logged is what a log tells a start.
type logged struct {
	exists   bool
	contents *wal.Contents
	err      error // why it cannot be used
	start    state // of the last start; id 0 if there is none
	changes  uint64
	open     bool         // the last batch is
	opened   int          // how often one was that follows one that is not
	never    map[int]bool // which of these runs of open batches were never closed
	floor    uint64
	revised  uint64 // the newest revision whose traces may be in the files
	replaced []replacement
	missing  int // batches that are damaged and may hold what the history does not
	places   map[string]placeLogged
	entries  []loggedMessage // with sequences above the checkpoint
}

type loggedMessage struct {
	seq    uint64
	rec    codec.Record
	opened int // how often a batch was open, up to this
}

type placeLogged struct {
	place
	last   uint64 // the sequence at which its batch ends
	opened int
}

// closed says if the log holds all that displaced what was passed over up to this.
func (l *logged) closed(opened int) bool { return (!l.open || opened < l.opened) && !l.never[opened] }

// neverClosed says that what displaced messages that the open batches before this passed over was lost.
func (l *logged) neverClosed() {
	if l.never == nil {
		l.never = make(map[int]bool)
	}
	l.never[l.opened] = true
	l.opened++
}

// readLog reads the log of a file, without what has sequences up to the checkpoint.
// An error is ErrNewer alone.
func readLog(f *os.File, checkpoint uint64, thorough bool) (l logged, err error) {
	info, err := f.Stat()
	if err != nil {
		return logged{exists: true, err: err}, nil
	}
	if info.Size() == 0 {
		return logged{}, nil
	}
	l.exists = true
	l.contents, l.err = wal.Read(f, info.Size(), thorough, func(b wal.Batch) error {
		if b.First > checkpoint {
			l.missing += b.Missing
		}
		was := l.open
		l.open = false
		_ = b.Each(func(kind byte, _ []byte) error { l.open = l.open || kind == recordOpen; return nil })
		if l.open && !was {
			l.opened++
		}
		return b.Each(func(kind byte, body []byte) error { return l.record(b, kind, body, checkpoint) })
	})
	if errors.Is(l.err, wal.ErrNewer) || errors.Is(l.err, ErrNewer) {
		return l, fmt.Errorf("%s: %w", f.Name(), ErrNewer)
	}
	return l, nil
}

func (l *logged) record(b wal.Batch, kind byte, body []byte, checkpoint uint64) error {
	switch kind {
	case recordMessage, recordRevision:
		delta, n := binary.Uvarint(body)
		if n <= 0 {
			return fmt.Errorf("a message without a sequence: %w", errFormat)
		}
		if kind == recordRevision {
			l.revised = max(l.revised, b.First+delta)
		}
		if seq := b.First + delta; seq > checkpoint {
			rec, err := codec.DecodeRecord(body[n:])
			if err != nil {
				return err
			}
			l.entries = append(l.entries, loggedMessage{seq, rec, l.opened})
		}
	case recordStart:
		st, err := decodeState(body)
		if err != nil {
			return err
		}
		l.start, l.changes = st, max(l.changes, st.changes)
	case recordCheckpoint:
		changes, n := binary.Uvarint(body)
		if n <= 0 {
			return fmt.Errorf("a checkpoint without a number: %w", errFormat)
		}
		l.changes = max(l.changes, changes)
	case recordPlace:
		if b.Last < checkpoint {
			return nil
		}
		r := &fields{b: body}
		name := r.text()
		p, err := decodePlace(r.b)
		if err != nil || name == "" {
			return fmt.Errorf("the place of room %q: %w", name, errors.Join(err, errFormat))
		}
		if l.places == nil {
			l.places = make(map[string]placeLogged)
		}
		if p.head >= l.places[name].head {
			l.places[name] = placeLogged{p, b.Last, l.opened}
		}
	case recordFloor:
		floor, n := binary.Uvarint(body)
		if n <= 0 {
			return fmt.Errorf("a floor without a number: %w", errFormat)
		}
		l.floor = max(l.floor, floor)
	case recordNeverClosed:
		l.neverClosed()
	case recordReplaced:
		if b.Last < checkpoint {
			return nil
		}
		l.revised = max(l.revised, b.Last)
		for len(body) > 0 {
			seq, n := binary.Uvarint(body)
			if n <= 0 {
				return fmt.Errorf("a replacement: %w", errFormat)
			}
			l.replaced, body = append(l.replaced, replacement{seq: seq, displacer: b.Last, told: b.Last}), body[n:]
		}
	case recordSoiled:
		seq, n := binary.Uvarint(body)
		if n <= 0 {
			return fmt.Errorf("a revision without a sequence: %w", errFormat)
		}
		l.revised = max(l.revised, seq)
	case recordOpen:
	default:
		if kind < 128 {
			return fmt.Errorf("a record of kind %d: %w", kind, ErrNewer)
		}
	}
	return nil
}
