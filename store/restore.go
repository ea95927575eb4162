package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"edgechat/codec"
	"edgechat/internal/durable"
)

// Restore makes a store at path of a backup, or of the file of a store that nobody has open. What is at
// path is kept aside, with ".replaced-" and the time behind its name. The error is ErrLocked while a process has
// path open; damage is one too, and path stays as it was.
//
// The next start opens a new epoch: ids that were given since the backup was made are not given again, and
// cursors from after it prove nothing.
func Restore(from, path string) error {
	report, err := Check(from)
	if err != nil {
		return err
	}
	if len(report.Problems) > 0 {
		return fmt.Errorf("store: restore %s: it is damaged: %s", from, report.Problems[0])
	}
	if path, err = durable.Resolve(path); err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	if same, err := filepath.Abs(from); err == nil && same == path {
		return fmt.Errorf("store: restore %s: it is the file that would be replaced", from)
	}
	backup := from
	if report.Kind == "store" {
		temp, err := os.CreateTemp(filepath.Dir(path), ".restore.*")
		if err != nil {
			return fmt.Errorf("store: restore: %w", err)
		}
		defer os.Remove(temp.Name())
		backup = temp.Name()
		if err := errors.Join(copyBackup(from, temp), temp.Close()); err != nil {
			return fmt.Errorf("store: restore %s: %w", from, err)
		}
	}
	f, _, made, err := openFile(path, true) // and keeps the lock until the new one is there
	if err != nil {
		return explain(path, err)
	}
	defer f.Close()
	fresh := path + ".new"
	if err := restoreTo(fresh, backup); err != nil {
		_ = os.Remove(fresh)
		return fmt.Errorf("store: restore %s: %w", from, err)
	}
	aside := time.Now().UTC().Format(asideTime)
	if !made {
		if err := os.Rename(path, path+".replaced-"+aside); err != nil {
			return fmt.Errorf("store: restore: %w", err)
		}
	}
	err = os.Rename(logPath(path), logPath(path)+".replaced-"+aside)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("store: restore: %w", err)
	}
	if err := durable.Rename(fresh, path); err != nil {
		return fmt.Errorf("store: restore: %w", err)
	}
	return nil
}

// copyBackup makes a backup of copies of a store's files, so that these stay as they are.
func copyBackup(from string, w *os.File) error {
	dir, err := os.MkdirTemp(filepath.Dir(w.Name()), ".restore.*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "edgechat.db")
	for a, b := range map[string]string{from: path, logPath(from): logPath(path)} {
		err := copyTo(a, b)
		if err != nil && !(a != from && errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return BackupFile(path, w)
}

func copyTo(from, to string) error {
	r, err := os.Open(from)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = w.ReadFrom(r)
	return errors.Join(err, w.Close())
}

// restoreTo makes a history at path of a backup.
func restoreTo(path, backup string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	in, err := os.Open(backup)
	if err != nil {
		return err
	}
	defer in.Close()
	f, _, _, err := openFile(path, false)
	if err != nil {
		return err
	}
	h := &history{file: f, path: path, identify: func(*os.File) string { return "restored" }}
	defer h.close()
	if info, err := in.Stat(); err == nil {
		h.quota = int(3*info.Size() + 32<<20) // the next start has its own
	}
	j := &job{}
	var keys, values [][]byte
	size := 0
	flush := func() error {
		var v *view
		if h.tally != (tally{}) {
			var err error
			if v, err = openView(f); err != nil {
				return err
			}
		}
		order := make([]int, len(keys))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return slices.Compare(keys[a], keys[b]) })
		k, w := make([][]byte, len(keys)), make([][]byte, len(keys))
		for i, o := range order {
			k[i], w[i] = keys[o], values[o]
		}
		err := h.apply(j, k, w, v)
		keys, values, size = nil, nil, 0
		j.places = nil
		return err
	}
	_, err = readBackup(in, func(kind byte, body []byte) error {
		switch kind {
		case recordStart:
			st, err := decodeState(body)
			if err != nil {
				return err
			}
			st.id, st.changes, st.runs = rand.Uint64()|1, 1, 1
			j.state = st
		case recordPlace:
			r := &fields{b: slices.Clone(body)}
			name := r.text()
			if _, err := decodePlace(r.b); err != nil || name == "" {
				return fmt.Errorf("the place of room %q: %w", name, errors.Join(err, errFormat))
			}
			j.places = append(j.places, placed{name: name, bytes: r.b})
		case recordMessage:
			seq, n := binary.Uvarint(body)
			if n <= 0 {
				return errFormat
			}
			if _, err := codec.DecodeRecord(body[n:]); err != nil {
				return err
			}
			keys, values = append(keys, sequenceKey(nil, seq)), append(values, slices.Clone(body[n:]))
			size += len(body)
		}
		if size < salvageChunk {
			return nil
		}
		return flush()
	})
	if err != nil {
		return err
	}
	j.state.clean = true
	return flush()
}
