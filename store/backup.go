package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"edgechat/codec"
	"edgechat/internal/durable"
)

// A backup is a stream:
//
//	magic "edgechat backup\n", version 1 (a byte)
//	records: kind 1, length of the body (a varint), body
//
// The kinds are those of the log (format.go): one state (2) first, then for each room, by their names, its place (4) and its
// messages (1) and revisions (7), of which the varint is the sequence itself. The last record is the end: kind 255, its body the number of messages
// (8 bytes, little endian) and the CRC-32C of all before the record (4 bytes).
const (
	backupMagic   = "edgechat backup\n"
	backupVersion = 1
	backupEnd     = 255
	maxBackupBody = 1 << 30
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
// is what the room held at one moment. Restore makes a store of it.
func (s *Store) Backup(w io.Writer) error {
	b := &backupWriter{w: bufio.NewWriterSize(w, 64<<10), sum: crc32.New(castagnoli)}
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
	if err := backupCopy(from, scratch, w); err != nil {
		return r, fmt.Errorf("store: backup %s: %w", from, err)
	}
	return r, nil
}

// backupCopy makes a backup of copies of a store's files, since whoever opens files writes to them.
func backupCopy(from, scratch string, w io.Writer) error {
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
		Path: path, History: maxHistory, HistoryBytes: min(16<<30, mostHistoryBytes()),
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

type backupWriter struct {
	w        *bufio.Writer
	sum      hash.Hash32
	messages uint64
	err      error
}

func (b *backupWriter) write(p []byte) {
	if b.err == nil {
		_, b.err = b.w.Write(p)
		b.sum.Write(p)
	}
}

// begin writes what is in front of the rooms.
func (b *backupWriter) begin(st *state) {
	b.write([]byte(backupMagic))
	b.write([]byte{backupVersion})
	st.identity = "backup"
	b.record(recordStart, st.append(nil))
}

// message writes a message or a revision.
func (b *backupWriter) message(seq uint64, rec *codec.Record) {
	b.messages++
	b.record(recordOf(&rec.Message), codec.AppendRecord(binary.AppendUvarint(nil, seq), rec))
}

// end writes what is behind the rooms, and all that is still in memory.
func (b *backupWriter) end() error {
	end := binary.LittleEndian.AppendUint64(nil, b.messages)
	end = binary.LittleEndian.AppendUint32(end, b.sum.Sum32())
	b.record(backupEnd, end)
	return errors.Join(b.err, b.w.Flush())
}

func (b *backupWriter) record(kind byte, body []byte) {
	b.write(binary.AppendUvarint([]byte{kind}, uint64(len(body))))
	b.write(body)
}

// readBackup reads a whole backup and hands over its records. The error says why it is not
// whole: ErrNewer, one of the disk, or damage, which wraps errBackup.
func readBackup(r io.Reader, visit func(kind byte, body []byte) error) (messages uint64, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	sum := crc32.New(castagnoli)
	head := make([]byte, len(backupMagic)+1)
	if _, err := io.ReadFull(in, head); err != nil || string(head[:len(backupMagic)]) != backupMagic {
		return 0, errors.Join(errBackup, err)
	}
	if head[len(backupMagic)] != backupVersion {
		return 0, ErrNewer
	}
	sum.Write(head)
	var body []byte
	for {
		kind, err := in.ReadByte()
		if err != nil {
			return messages, fmt.Errorf("%w: it is cut off: %w", errBackup, err)
		}
		n, err := binary.ReadUvarint(in)
		if err != nil || n > maxBackupBody {
			return messages, fmt.Errorf("%w: a record of %d bytes: %w", errBackup, n, errors.Join(err, errFormat))
		}
		if kind == backupEnd && n != 12 {
			return messages, fmt.Errorf("%w: an end of %d bytes", errBackup, n)
		}
		if uint64(cap(body)) < n {
			body = make([]byte, n)
		}
		body = body[:n]
		if _, err := io.ReadFull(in, body); err != nil {
			return messages, fmt.Errorf("%w: it is cut off: %w", errBackup, err)
		}
		if kind == backupEnd {
			if binary.LittleEndian.Uint64(body) != messages || binary.LittleEndian.Uint32(body[8:]) != sum.Sum32() {
				return messages, fmt.Errorf("%w: number of messages or checksum do not match", errBackup)
			}
			if _, err := in.ReadByte(); err != io.EOF {
				return messages, fmt.Errorf("%w: something follows its end", errBackup)
			}
			return messages, nil
		}
		sum.Write(binary.AppendUvarint([]byte{kind}, n))
		sum.Write(body)
		if kind == recordMessage || kind == recordRevision {
			messages++
		}
		if err := visit(kind, body); err != nil {
			return messages, err
		}
	}
}

var errBackup = errors.New("the backup is damaged")

// isBackup says if f begins as a backup does.
func isBackup(f io.ReaderAt) bool {
	b := make([]byte, len(backupMagic))
	_, err := f.ReadAt(b, 0)
	return err == nil && string(b) == backupMagic
}
