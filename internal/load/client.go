package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A client is one connection. Its reader, a goroutine, owns in and tracker.
type client struct {
	run        *run
	index      int
	room       int
	conn       net.Conn
	shard      *shard
	maxContent int // bytes, as the server said

	in      inbox
	tracker tracker

	gone atomic.Bool // the server ended it

	mu  sync.Mutex // one write at a time: the publisher's, the reader's pongs
	out []byte     // guarded by mu
}

// start lets the client read until its connection ends.
func (r *run) start(c *client) {
	r.clients[c.index] = c
	r.connected.Add(1)
	r.readers.Go(func() { // ends when the server or finish closes the connection
		err := c.read()
		c.gone.Store(true)
		_ = c.conn.Close()
		if r.closing.Load() {
			return
		}
		r.connected.Add(-1)
		r.note(func(n *reasons) { n.disconnected.add(plainError(err)) })
	})
}

// read handles what comes until the connection ends, and says why it did.
func (c *client) read() error {
	want := byte(opText)
	if c.run.cfg.MsgPack {
		want = opBinary
	}
	for {
		op, payload, err := c.in.next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				return errors.New("ended without a close frame")
			}
			return err
		}
		c.shard.received.Add(1)
		switch op {
		case want:
			c.take(payload)
		case opPing:
			if err := c.write(func(dst []byte) []byte { return appendFrame(dst, opPong, payload) }); err != nil {
				return err
			}
		case opPong:
		case opClose:
			return closed(payload)
		default:
			return fmt.Errorf("%w: opcode %d", errFrame, op)
		}
	}
}

func closed(payload []byte) error {
	if len(payload) < 2 {
		return errors.New("closed without a code")
	}
	err := fmt.Errorf("closed with %d", binary.BigEndian.Uint16(payload))
	if len(payload) > 2 {
		err = fmt.Errorf("%w: %.125q", err, payload[2:])
	}
	return err
}

// take handles one message of the protocol.
func (c *client) take(payload []byte) {
	cfg := &c.run.cfg
	f, ok := readFrame(payload, cfg.MsgPack, cfg.Size)
	switch {
	case ok && f.typ == "message":
		m, whole := readContent(c.run.id, f.content, cfg.Size)
		if !whole || m.room != c.room || m.pub >= len(c.tracker.next) {
			c.shard.damaged.Add(1)
			return
		}
		c.count(m, f.offset)
	case ok && (f.typ == "joined" || f.typ == "left" || f.typ == "typing"):
		c.shard.events.Add(1)
	case ok && f.typ == "error":
		text, _, _ := strings.Cut(f.text, ": try again in ") // which is another time for each
		c.run.note(func(n *reasons) { n.errors.add(f.code + ": " + text) })
	case ok && (f.typ == "ack" || f.typ == "subscribed"):
	default:
		c.shard.damaged.Add(1) // what is no frame of the protocol was perhaps a message
	}
}

func (c *client) count(m mark, offset uint64) {
	v := c.tracker.see(m.pub, m.seq, offset)
	if v.missing != 0 {
		c.shard.missing.Add(v.missing)
	}
	if !v.fresh {
		c.shard.duplicated.Add(1)
		return
	}
	if v.reordered {
		c.shard.reordered.Add(1)
	}
	c.shard.delivered.Add(1)
	c.shard.latency.add(c.in.at - m.due)
	if !c.run.chosen.Load() {
		return
	}
	publishers := c.run.rooms[c.room].publishers
	if m.pub >= len(publishers) {
		return
	}
	if latest, all := publishers[m.pub].arrived(m.seq, c.in.at); all {
		c.shard.last.add(latest - m.due)
	}
}

// write sends what fill appends, in one piece.
func (c *client) write(fill func(dst []byte) []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = fill(c.out[:0])
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.run.cfg.WriteTimeout))
	_, err := c.conn.Write(c.out)
	if err != nil {
		_ = c.conn.Close() // cut in the middle of a frame, perhaps
	}
	return err
}

// close says goodbye and ends the connection. The reader ends soon after.
func (c *client) close() {
	if c.gone.Load() {
		return
	}
	_ = c.write(func(dst []byte) []byte { return appendFrame(dst, opClose, []byte{1000 >> 8, 1000 & 0xff}) })
	_ = c.conn.Close()
}
