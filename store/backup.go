package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"edgechat/codec"
	"edgechat/internal/durable"
)

// What backup, restore and import have for as long as they take. If they are killed the next of them removes it, or the
// next start.
const (
	backupTemp  = ".edgechat-backup.*"
	restoreTemp = ".edgechat-restore.*"
	importTemp  = ".edgechat-import.*"
)

// Backup writes all that is in the buffer to w, messages that are not on disk yet included, while the
// store is at work. What is said meanwhile may or may not be part of it; of each room it
// is what the room held at one moment. Restore makes a store of it. The error is ErrClosed, and the backup has no end, if the store is closed meanwhile, as
// that of a Follower is which goes back.
func (s *Store) Backup(w io.Writer) error {
	b := newBackupWriter(w)
	st := s.state(false)
	st.checkpoint = s.given.Load()
	b.begin(&st)
	rooms := s.allRooms()
	slices.SortFunc(rooms, func(a, b *room) int { return strings.Compare(a.name, b.name) })
	for _, r := range rooms {
		if err := s.backupRoom(b, r); err != nil {
			return fmt.Errorf("store: backup of room %q: %w", r.name, err)
		}
	}
	if s.closed.Load() {
		return fmt.Errorf("store: backup: %w", ErrClosed) // some of it was not there any more
	}
	if err := b.end(); err != nil {
		return fmt.Errorf("store: backup: %w", err)
	}
	return nil
}

// BackupFile makes a backup at path to of the store at path from, which nobody may have open: the error is
// ErrLocked then. It replaces what is there in one step, once it is on disk. Nothing of the source is made, mended or
// changed; a source that is not whole is refused with ErrDamaged.
func BackupFile(from, to string) (r Report, err error) {
	if err := ownFile(from, to); err != nil {
		return Report{}, fmt.Errorf("store: backup: %w", err)
	}
	err = durable.Replace(to, func(f *os.File) error {
		r, err = BackupTo(from, filepath.Dir(f.Name()), f)
		return err
	})
	if err != nil && !strings.HasPrefix(err.Error(), "store: ") {
		err = fmt.Errorf("store: backup: %w", err)
	}
	return r, err
}

// ownFile says that a backup may take the place of what is at path to.
func ownFile(from, to string) error {
	info, err := os.Stat(to)
	if err != nil {
		return nil // nothing is there, or Replace tells
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no regular file, and would be replaced", to)
	}
	if from, err = durable.Resolve(from); err != nil {
		return err
	}
	for _, part := range []string{from, logPath(from)} {
		if source, err := os.Stat(part); err == nil && os.SameFile(info, source) {
			return fmt.Errorf("%s is part of the store itself", to)
		}
	}
	return nil
}

// BackupTo is BackupFile to a stream. The folder scratch gets a copy of the store for as long as that takes.
func BackupTo(from, scratch string, w io.Writer) (Report, error) {
	from, err := durable.Resolve(from)
	if err != nil {
		return Report{}, fmt.Errorf("store: backup: %w", err)
	}
	f, err := os.Open(from)
	if err != nil {
		return Report{}, fmt.Errorf("store: backup: %w", err)
	}
	defer f.Close()
	if err := lockFile(f, true); err != nil { // until all of it is read
		return Report{}, fmt.Errorf("store: backup: %w", err)
	}
	r, err := Check(from)
	switch {
	case err != nil:
		return r, err
	case r.Kind == "backup":
		return r, fmt.Errorf("store: backup %s: %w already", from, ErrBackup)
	case len(r.Problems) > 0:
		return r, fmt.Errorf("store: backup %s: %w: %s", from, ErrDamaged, r.Problems[0])
	}
	if err := backupCopy(from, scratch, w, r.Follows); err != nil {
		return r, fmt.Errorf("store: backup %s: %w", from, err)
	}
	return r, nil
}

// backupCopy makes a backup of copies of a store's files, since whoever opens files writes to them.
func backupCopy(from, scratch string, w io.Writer, follow bool) error {
	dir, err := durable.TempDir(scratch, backupTemp)
	if err != nil {
		return err
	}
	defer func() { _, _ = os.RemoveAll(dir.Name()), dir.Close() }()
	path := filepath.Join(dir.Name(), "edgechat.db")
	size, err := copyTo(from, path)
	if err != nil {
		return err
	}
	logged, err := copyTo(logPath(from), logPath(path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s, err := Open(Config{
		Follow: follow,
		Path:   path, History: maxHistory, HistoryBytes: min(16<<30, mostHistoryBytes()),
		Rooms: 1 << 30, RememberedRooms: 1 << 30, LogBytes: 8 << 20,
		quota: quotaFor(size + logged), // and not of HistoryBytes, which is to displace nothing: it is mapped
	})
	if err != nil {
		return err
	}
	return errors.Join(s.Backup(w), s.Close())
}

// copyTo returns the size of the copy.
func copyTo(from, to string) (int64, error) {
	r, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	w, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := w.ReadFrom(r)
	return n, errors.Join(err, w.Sync(), w.Close())
}

// backupRoom writes a room as it is now. Messages that leave the history while it is read are left out.
func (s *Store) backupRoom(b *backupWriter, r *room) error {
	for {
		records, err := s.roomRecords(r)
		if errors.Is(err, errMoved) {
			continue // a revision came into the history, and has taken away what is not part of this
		}
		if err != nil {
			return err
		}
		for _, x := range records {
			if x.kind != recordPlace {
				b.messages++
			}
			b.record(x.kind, x.body)
		}
		return b.err
	}
}

// A backupRecord is one of a room.
type backupRecord struct {
	kind byte
	body []byte
}

// roomRecords returns the place and the messages of a room, nothing if it was forgotten.
func (s *Store) roomRecords(r *room) (list []backupRecord, err error) {
	r.mu.Lock()
	gone := r.gone.Load()
	p := place{head: r.head, left: r.oldest(), starts: append([]start(nil), r.starts...)}
	first := r.oldest()
	seqs := make([]uint64, r.slots.len())
	entries := make([]*entry, r.slots.len())
	bare := make([]bool, r.slots.len())
	for i := range seqs {
		seqs[i] = r.slots.at(i).seq
		entries[i] = r.waiting(first + uint64(i))
		_, bare[i] = r.changedBy(first + uint64(i))
	}
	r.mu.Unlock()
	if gone || len(p.starts) == 0 {
		return nil, nil
	}
	list = append(list, backupRecord{recordPlace, p.append(appendText(nil, r.name))})
	for i, e := range entries {
		if seqs[i] == 0 {
			continue
		}
		var rec codec.Record
		if e != nil {
			rec = codec.Record{Room: r.name, Message: e.msg, Key: e.key}
		} else if raw, err := s.readRaw(seqs[i]); err != nil {
			return nil, err
		} else if raw == nil {
			continue
		} else if rec, err = codec.DecodeRecord(raw); err != nil {
			return nil, err
		}
		if rec.Superseded && !bare[i] {
			return nil, errMoved
		}
		if bare[i] {
			rec.Message.Content, rec.Superseded = "", true
		}
		list = append(list, backupRecord{recordOf(&rec.Message), codec.AppendRecord(binary.AppendUvarint(nil, seqs[i]), &rec)})
	}
	return list, nil
}

// readRaw returns the record of a sequence in the history, nil if it is not there or damaged.
func (s *Store) readRaw(seq uint64) ([]byte, error) {
	for {
		v := s.view.Load()
		if v == nil {
			return nil, nil
		}
		raw, err := newWalker(v).get(v.log, sequenceKey(nil, seq))
		if err == nil && raw != nil {
			if _, err = codec.DecodeRecord(raw); err == nil {
				return raw, nil
			}
			raw = nil
		}
		if s.view.Load() != v {
			continue // its pages may have been used again
		}
		if err != nil && !errors.Is(err, errPage) && !errors.Is(err, codec.ErrChecksum) {
			return nil, err
		}
		return raw, nil
	}
}
