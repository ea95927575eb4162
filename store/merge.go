package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"

	"edgechat/codec"
)

// write writes a backup of what the old one has and of the messages.
func (m *merge) write(old, to *os.File) error {
	b := &backupWriter{w: bufio.NewWriterSize(to, 64<<10), sum: crc32.New(castagnoli)}
	b.begin(&m.state)
	var name string
	var p place
	var records []codec.Record
	finish := func() {
		if name != "" {
			m.mergeRoom(b, name, p, records)
		}
		name, p, records = "", place{}, nil
	}
	_, err := readFromStart(old, func(kind byte, body []byte) (err error) {
		switch kind {
		case recordPlace:
			finish()
			r := &fields{b: body}
			name = r.text()
			p, err = decodePlace(r.b)
		case recordMessage, recordRevision:
			_, n := binary.Uvarint(body)
			var rec codec.Record
			rec, err = codec.DecodeRecord(body[max(n, 0):])
			records = append(records, rec)
		}
		return errors.Join(err, b.err)
	})
	if err != nil {
		return err
	}
	finish()
	for i := range m.messages {
		if name := m.messages[i].Room; m.rooms[name] != nil {
			m.newRoom(b, name)
		}
	}
	return b.end()
}

// mergeRoom writes a room that the store has.
func (m *merge) mergeRoom(b *backupWriter, name string, p place, records []codec.Record) {
	r := m.roomOf(name, p, records)
	for _, i := range m.rooms[name] {
		id := m.messages[i].Message.ID
		switch {
		case r.met(i):
		case id.Offset < p.left:
			m.refuse(UnplacedOld, i)
		case r.epochAt(id.Offset) != id.Epoch:
			m.refuse(UnplacedEpoch, i)
		default:
			r.place(i)
		}
	}
	r.write(b)
}

// newRoom writes a room that the store does not have.
func (m *merge) newRoom(b *backupWriter, name string) {
	r := m.roomOf(name, place{}, nil)
	p := &r.p
	ended := map[string]bool{}
	now := "" // the epoch so far
	known := uint64(0)
	for _, i := range m.rooms[name] { // by their numbers, since epochOrder
		id := m.messages[i].Message.ID
		e, ok := m.state.epochs.find(id.Epoch)
		switch {
		case r.met(i):
			continue
		case ended[id.Epoch] || ok && e.n < known:
			m.refuse(UnplacedEpoch, i)
			continue
		}
		if id.Epoch != now {
			ended[now], now = true, id.Epoch
			p.starts = append(p.starts, start{n: e.n, first: id.Offset, name: id.Epoch})
			known = max(known, e.n)
		}
		if p.left == 0 { // so far
			p.left = id.Offset
		}
		r.place(i)
	}
	// Epochs that the store does not know are older than those behind them, else newer than all, so that no cursor of
	// the store stands for a message of theirs.
	for i := len(p.starts) - 1; i >= 0 && p.starts[i].n == 0; i-- {
		p.starts[i].n = m.state.epochs.now().n + 1
	}
	r.write(b)
}

// refuse notes that a message was not placed.
func (m *merge) refuse(why Unplaced, i int) {
	m.report.Unplaced[why] = append(m.report.Unplaced[why], i)
}
