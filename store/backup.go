package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"

	"edgechat/codec"
)

// A backup is a stream:
//
//	magic "edgechat backup\n", version 1 (a byte)
//	records: kind 1, length of the body (a varint), body
//
// The kinds are those of the log (format.go): one state (2) first, then for each room its place (4) and its
// messages (1), of which the varint is the sequence itself. The last record is the end: kind 255, its body the number of messages
// (8 bytes, little endian) and the CRC-32C of all before the record (4 bytes).
const (
	backupMagic   = "edgechat backup\n"
	backupVersion = 1
	backupEnd     = 255
	maxBackupBody = 1 << 30
)

// Backup writes all that is in the buffer to w, messages that are not on disk yet included, while the
// store is at work. What is said meanwhile may or may not be part of it; of each room it
// is what the room held at one moment. Restore makes a store of it.
func (s *Store) Backup(w io.Writer) error {
	b := &backupWriter{w: bufio.NewWriterSize(w, 64<<10), sum: crc32.New(castagnoli)}
	b.write([]byte(backupMagic))
	b.write([]byte{backupVersion})
	st := s.state(false)
	st.checkpoint, st.identity = s.given.Load(), "backup"
	b.record(recordStart, st.append(nil))
	for _, r := range s.allRooms() {
		if err := s.backupRoom(b, r); err != nil {
			return fmt.Errorf("store: backup of room %q: %w", r.name, err)
		}
	}
	end := binary.LittleEndian.AppendUint64(nil, b.messages)
	end = binary.LittleEndian.AppendUint32(end, b.sum.Sum32())
	b.record(backupEnd, end)
	if err := errors.Join(b.err, b.w.Flush()); err != nil {
		return fmt.Errorf("store: backup: %w", err)
	}
	return nil
}

// BackupFile is Backup of a store that nobody has open.
func BackupFile(path string, w io.Writer) error {
	s, err := Open(Config{Path: path, History: maxHistory, HistoryBytes: min(16<<30, mostHistoryBytes()), Rooms: 1 << 30, RememberedRooms: 1 << 30, LogBytes: 8 << 20})
	if err != nil {
		return err
	}
	return errors.Join(s.Backup(w), s.Close())
}

// backupRoom writes a room as it is now. Messages that leave the history while it is read are left out.
func (s *Store) backupRoom(b *backupWriter, r *room) error {
	r.mu.Lock()
	gone := r.gone.Load()
	p := place{head: r.head, left: r.oldest(), starts: append([]start(nil), r.starts...)}
	first := r.oldest()
	seqs := make([]uint64, r.slots.len())
	entries := make([]*entry, r.slots.len())
	for i := range seqs {
		seqs[i] = r.slots.at(i).seq
		entries[i] = r.waiting(first + uint64(i))
	}
	r.mu.Unlock()
	if gone || len(p.starts) == 0 {
		return nil
	}
	b.record(recordPlace, p.append(appendText(nil, r.name)))
	for i, e := range entries {
		if seqs[i] == 0 {
			continue
		}
		body := binary.AppendUvarint(nil, seqs[i])
		if e != nil {
			body = codec.AppendRecord(body, &codec.Record{Room: r.name, Message: e.msg, Key: e.key})
		} else {
			raw, err := s.readRaw(seqs[i])
			if err != nil {
				return err
			}
			if raw == nil {
				continue
			}
			body = append(body, raw...)
		}
		b.messages++
		b.record(recordMessage, body)
	}
	return b.err
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
		if kind == recordMessage {
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

// A Report is what Check found.
type Report struct {
	Kind     string // "store" or "backup"
	Messages int
	Rooms    int
	Clean    bool     // a store that was closed in order
	Problems []string // nil if it is whole
}

// Check reads a store that nobody has open, or a backup, and changes nothing. The error says why it
// could not be read at all; damage is no error.
func Check(path string) (Report, error) {
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
	st, err := sc.readState()
	if err != nil {
		return Report{}, fmt.Errorf("store: check %s: %w", path, err)
	}
	rooms := map[string]bool{}
	sc.each(func(_ uint64, r *codec.Record, _ []byte) { rooms[r.Room] = true })
	r := Report{Kind: "store", Messages: sc.distinct, Clean: st.clean}
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
		case l.exists && l.contents.Missing > 0 && !st.clean:
			r.Problems = append(r.Problems, fmt.Sprintf("log: %d batches are damaged", l.contents.Missing))
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
		if kind == recordPlace {
			r.Rooms++
		}
		if kind == recordMessage {
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
