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
	"sort"
	"time"

	"edgechat/codec"
	"edgechat/internal/durable"
)

// Restore makes a store at path of a backup, or of the file of a store that nobody has open, and returns what
// Check found in it. What is at path is kept, with ".replaced-" and the time behind its name, which is
// returned, and its log with it, also where that is all that was there; "" says that nothing was. The new file has owner and mode of the old one, else the owner of its
// folder, so that root may restore what a service of another user opens. A folder that is missing is made.
//
// The error is ErrLocked while a process has path open, and ErrDamaged if the backup is not whole; with any error
// path stays as it was. A power cut leaves the old store or the new one.
//
// The next start opens a new epoch: ids that were given since the backup was made are not given again, and
// cursors from after it prove nothing.
//
// What is of a follower is refused with ErrFollower: see RestoreFollower and RestoreAlone.
func Restore(from, path string) (r Report, aside string, err error) {
	return restore(from, path, func(r Report) error {
		if r.Follows {
			return ErrFollower
		}
		return nil
	}, false)
}

// RestoreFollower is Restore of what is of a follower, and makes one again: it goes on in the log behind the position that the backup has. Else the
// error is ErrNotFollower. An epoch that follows on what the backup has may have begun before the end of what others had: cursors
// of before from behind that prove nothing.
func RestoreFollower(from, path string) (r Report, aside string, err error) {
	return restore(from, path, func(r Report) error {
		if !r.Follows {
			return ErrNotFollower
		}
		return nil
	}, true)
}

// RestoreAlone is Restore also of what is of a follower, which follows no more.
func RestoreAlone(from, path string) (r Report, aside string, err error) {
	return restore(from, path, func(Report) error { return nil }, false)
}

// restore is Restore, which asks if what was found in from may be restored, and does once nobody else can open path.
func restore(from, path string, may func(Report) error, follow bool) (r Report, aside string, err error) {
	return replace(from, path, may, func() error { return nil }, follow)
}

// replace is restore, which also asks once nobody else can open path if the store there is the one that may be replaced.
func replace(from, path string, may func(Report) error, expected func() error, follow bool) (r Report, aside string, err error) {
	if r, err = Check(from); err != nil {
		return r, "", err
	}
	if err := may(r); err != nil {
		return r, "", fmt.Errorf("store: restore %s: %w", from, err)
	}
	if len(r.Problems) > 0 {
		return r, "", fmt.Errorf("store: restore %s: %w: %s", from, ErrDamaged, r.Problems[0])
	}
	if path, err = durable.Resolve(path); err != nil {
		return r, "", fmt.Errorf("store: restore: %w", err)
	}
	source, err := os.Stat(from)
	if err != nil {
		return r, "", fmt.Errorf("store: restore: %w", err)
	}
	if old, err := os.Stat(path); err == nil && os.SameFile(source, old) {
		return r, "", fmt.Errorf("store: restore %s: it is the file that would be replaced", from)
	}
	log, err := holdLog(path) // a server whose history was deleted has it
	if err != nil {
		return r, "", explain(path, err)
	}
	if log != nil {
		defer log.Close()
	}
	f, _, made, err := openFile(path, true) // and keeps the lock until the new one is there
	if err != nil {
		return r, "", explain(path, err)
	}
	defer f.Close()
	if err := expected(); err != nil {
		if made {
			_ = os.Remove(path)
		}
		return r, "", fmt.Errorf("store: restore: %w", err)
	}
	fresh := path + ".new"
	if err := prepare(from, r.Kind, path, fresh, made, follow); err != nil {
		_ = os.Remove(fresh)
		if made {
			_ = os.Remove(path)
		}
		return r, "", fmt.Errorf("store: restore %s: %w", from, err)
	}
	if !made || log != nil {
		aside = path + ".replaced-" + time.Now().UTC().Format(asideTime)
		err = keepAside(path, aside)
	}
	if err == nil {
		err = durable.Rename(fresh, path)
	}
	if err != nil {
		return r, "", fmt.Errorf("store: restore: %w", err)
	}
	// The old log is of another history: until it is gone, a start sees that and leaves it out.
	err = os.Remove(logPath(path))
	if err == nil {
		err = durable.SyncDir(filepath.Dir(path))
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return r, aside, fmt.Errorf("store: restore: %w", err)
	}
	return r, aside, nil
}

// holdLog opens and locks the log of the store at path; nil if there is none.
func holdLog(path string) (*os.File, error) {
	f, err := os.OpenFile(logPath(path), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := lockFile(f, false); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// prepare makes the new file at path fresh, on disk, as the user who will open it may.
func prepare(from, kind, path, fresh string, made, follow bool) error {
	backup := from
	if kind == "store" {
		temp, err := durable.Temp(filepath.Dir(path), restoreTemp)
		if err != nil {
			return err
		}
		defer func() { _, _ = os.Remove(temp.Name()), temp.Close() }()
		backup = temp.Name()
		if _, err = BackupTo(from, filepath.Dir(path), temp); err != nil {
			return err
		}
	}
	err := restoreTo(fresh, backup, func(st *state) { st.follows, st.forks = follow, true })
	if err != nil {
		return err
	}
	like, mode := path, fs.FileMode(0o600)
	if made {
		like = filepath.Dir(path)
	}
	info, err := os.Stat(like)
	if err != nil {
		return err
	}
	if !made {
		mode = info.Mode().Perm()
	}
	f, err := os.OpenFile(fresh, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(durable.SameOwner(f, info), f.Chmod(mode), f.Sync(), f.Close())
}

// keepAside gives a store's files further names, on disk, so that there is a store at path all the time. Where the
// file system has no links, and a name alone, it copies them.
func keepAside(path, aside string) error {
	for from, to := range map[string]string{path: aside, logPath(path): logPath(aside)} {
		err := os.Link(from, to)
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			_, err = copyTo(from, to)
		}
		if err != nil && !(from != path && errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return durable.SyncDir(filepath.Dir(path))
}

// restoreTo makes a history at path of a backup, with its state as change has it.
func restoreTo(path, backup string, change func(*state)) error {
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
		h.quota = quotaFor(info.Size()) // the next start has its own
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
		sort.Slice(order, func(i, j int) bool { return slices.Compare(keys[order[i]], keys[order[j]]) < 0 })
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
			change(&st)
			j.state = st
		case recordPlace:
			r := &fields{b: slices.Clone(body)}
			name := r.text()
			if _, err := decodePlace(r.b); err != nil || name == "" {
				return fmt.Errorf("the place of room %q: %w", name, errors.Join(err, errFormat))
			}
			j.places = append(j.places, placed{name: name, bytes: r.b})
		case recordMessage, recordRevision:
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
