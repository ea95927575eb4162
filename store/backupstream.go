package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"edgechat/codec"
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

func newBackupWriter(w io.Writer) *backupWriter {
	return &backupWriter{w: bufio.NewWriterSize(w, 64<<10), sum: crc32.New(castagnoli)}
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
