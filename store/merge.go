package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"slices"

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
	there := map[uint64]codec.ID{}
	revised := map[codec.ID]bool{}
	for i := range records {
		id := records[i].Message.ID
		there[id.Offset] = id
		if records[i].Message.Kind != codec.Said {
			revised[records[i].Message.Target] = true
		}
	}
	r := &room{starts: p.starts}
	for _, i := range m.rooms[name] {
		id := m.messages[i].Message.ID
		at, taken := there[id.Offset]
		switch {
		case taken && at == id:
			m.report.Present++
		case taken:
			m.refuse(UnplacedTaken, i)
		case id.Offset < p.left:
			m.refuse(UnplacedOld, i)
		case r.epochAt(id.Offset) != id.Epoch:
			m.refuse(UnplacedEpoch, i)
		case revised[id]:
			m.refuse(UnplacedRevised, i)
		default:
			there[id.Offset] = id
			m.report.Placed++
			records = append(records, m.messages[i])
			p.head = max(p.head, id.Offset)
		}
	}
	delete(m.rooms, name)
	m.record(b, name, p, records)
}

// newRoom writes a room that the store does not have.
func (m *merge) newRoom(b *backupWriter, name string) {
	var p place
	var records []codec.Record
	ended := map[string]bool{}
	now := "" // the epoch so far
	known := uint64(0)
	for _, i := range m.rooms[name] { // by their numbers, since epochOrder
		id := m.messages[i].Message.ID
		e, ok := m.state.epochs.find(id.Epoch)
		switch {
		case len(records) > 0 && records[len(records)-1].Message.ID == id:
			m.report.Present++
			continue
		case id.Offset == p.head:
			m.refuse(UnplacedTaken, i)
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
		if len(records) == 0 {
			p.left = id.Offset
		}
		p.head = id.Offset
		m.report.Placed++
		records = append(records, m.messages[i])
	}
	delete(m.rooms, name)
	// Epochs that the store does not know are older than those behind them, else newer than all, so that no cursor of
	// the store stands for a message of theirs.
	for i := len(p.starts) - 1; i >= 0 && p.starts[i].n == 0; i-- {
		p.starts[i].n = m.state.epochs.now().n + 1
	}
	m.record(b, name, p, records)
}

// refuse notes that a message was not placed.
func (m *merge) refuse(why Unplaced, i int) {
	m.report.Unplaced[why] = append(m.report.Unplaced[why], i)
}

// record writes a room.
func (m *merge) record(b *backupWriter, name string, p place, records []codec.Record) {
	slices.SortStableFunc(records, func(x, y codec.Record) int { return compareOffsets(&x, &y) })
	b.record(recordPlace, p.append(appendText(nil, name)))
	for i := range records {
		m.seq++
		b.message(m.seq, &records[i])
	}
}
