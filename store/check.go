package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"edgechat/codec"
	"edgechat/internal/durable"
)

// A Report is what Check found.
type Report struct {
	Kind     string // "store" or "backup"
	Messages int
	Rooms    int
	Clean    bool     // a store that was closed in order
	Follows  bool     // of a node of a cluster
	Problems []string // nil if it is whole
}

// Check reads a store that nobody has open, or a backup, and changes nothing. The error says why it
// could not be read at all, ErrForeign, ErrLocked and ErrNewer among the reasons; damage is no error.
func Check(path string) (Report, error) {
	path, err := durable.Resolve(path)
	if err != nil {
		return Report{}, fmt.Errorf("store: check: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return Report{}, fmt.Errorf("store: check: %w", err)
	}
	defer f.Close()
	if isBackup(f) {
		return checkBackup(f)
	}
	if err := lockFile(f, true); err != nil {
		return Report{}, fmt.Errorf("store: check: %w", err)
	}
	sc, err := scanFile(f)
	if err != nil {
		return Report{}, fmt.Errorf("store: check: %w", err)
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); err != nil && !errors.Is(err, io.EOF) {
		return Report{}, fmt.Errorf("store: check: %w", err)
	}
	if _, err := os.Stat(logPath(path)); errors.Is(err, fs.ErrNotExist) && sc.foreign() {
		return Report{}, fmt.Errorf("store: check %s: %w", path, ErrForeign)
	}
	st, err := sc.readState()
	if err != nil {
		return Report{}, fmt.Errorf("store: check %s: %w", path, err)
	}
	rooms := map[string]bool{}
	sc.each(func(_ uint64, r *codec.Record, _ []byte) { rooms[r.Room] = true })
	r := Report{Kind: "store", Messages: sc.distinct, Clean: st.clean, Follows: st.follows}
	if found := sc.tally(); st.epochs != nil && found != st.tally {
		sc.problem("%d of %d messages and %d of %d places", found.messages, st.tally.messages, found.places, st.tally.places)
	}
	r.Problems = sc.problems
	logFile, err := os.Open(logPath(path))
	if err == nil {
		defer logFile.Close()
		l, err := readLog(logFile, st.checkpoint, true)
		switch {
		case err != nil:
			return Report{}, fmt.Errorf("store: check: %w", err)
		case l.err != nil:
			r.Problems = append(r.Problems, fmt.Sprintf("log: %v", l.err))
		case sc.fresh && l.changes > 0:
			r.Problems = append(r.Problems, "it is empty, and its log says that it was not")
		case l.exists && st.id != 0 && l.contents.ID != st.id:
			r.Problems = append(r.Problems, "log: it is another store's")
		case l.exists && l.missing > 0 && !st.clean:
			r.Problems = append(r.Problems, fmt.Sprintf("log: %d batches are damaged", l.missing))
		}
		if l.start.runs >= st.runs && l.start.id != 0 {
			r.Follows = l.start.follows
		}
		r.Messages += len(l.entries)
		for _, m := range l.entries {
			rooms[m.rec.Room] = true
		}
		r.Clean = r.Clean && len(l.entries) == 0
	} else if !os.IsNotExist(err) {
		return Report{}, fmt.Errorf("store: check: %w", err)
	} else if !st.old && !sc.fresh && !st.clean {
		r.Problems = append(r.Problems, "log: it is missing")
	}
	r.Rooms = len(rooms)
	return r, nil
}

func checkBackup(f *os.File) (Report, error) {
	r := Report{Kind: "backup"}
	n, err := readBackup(f, func(kind byte, body []byte) error {
		if kind == recordStart {
			st, err := decodeState(body)
			if err != nil {
				return err
			}
			r.Follows = st.follows
		}
		if kind == recordPlace {
			r.Rooms++
		}
		if kind == recordMessage || kind == recordRevision {
			_, n := binary.Uvarint(body)
			if _, err := codec.DecodeRecord(body[max(n, 0):]); err != nil {
				return fmt.Errorf("%w: %w", errBackup, err)
			}
		}
		return nil
	})
	r.Messages = int(n)
	if errors.Is(err, errBackup) {
		r.Problems = append(r.Problems, err.Error())
		err = nil
	}
	if err != nil {
		return Report{}, fmt.Errorf("store: check %s: %w", f.Name(), err)
	}
	return r, nil
}
