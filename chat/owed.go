package chat

import (
	"sync"
	"time"

	"edgechat/codec"
)

// What a client is owed are the acks of what it has said. They may come all at once, thousands of them
// on a card that is slow, and what waits for one connection alone is bounded (ws.Config.MaxPending): who
// said so much in good faith must not be closed as too slow for it. So a client that is owed Config.OwedBytes, what
// it was sent and has not taken among it, is not read from until half of that is paid, and most of it taken. If the disk does not answer within Config.OwedPatience,
// it is read from again, and further acks say at once that the message is not durable: chat goes on whatever the disk does.
//
//	     so much is owed           patience is over
//	open ----------------> paused ------------------> late
//	 ^                       |                          |
//	 +-----------------------+--------------------------+
//	              half of it is paid, and taken
type owed struct {
	mu    sync.Mutex
	bytes int32 // of acks that are still to come, about: for no more messages than the buffer holds
	state owedState
	timer *time.Timer // of paused
}

type owedState uint8

const (
	owesLittle owedState = iota
	owesPaused
	owesLate
)

// What a Config that names none has.
const (
	DefaultOwedBytes    = 48 << 10
	DefaultOwedPatience = 10 * time.Second
)

// maxOwedBytes is the most that Config.OwedBytes may be: what a client is owed fits 32 bits.
const maxOwedBytes = 1 << 30

// ackBytes is what an ack takes, at most, besides its texts.
const ackBytes = 112

func ackCost(room, key string) int32 { return int32(ackBytes + len(room) + len(key)) }

// owe notes that an ack is to come. It reports whether it is to say at once that the message is not durable.
func (c *client) owe(room, key string) (late bool) {
	o := &c.owed
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes += ackCost(room, key)
	most := int32(c.ctl.cfg.OwedBytes)
	switch {
	case o.state == owesPaused:
		return false
	case o.state == owesLate && o.bytes > most:
		c.ctl.acksRefused.Add(1)
		return true
	case int(o.bytes)+c.conn.Unsent() <= int(most):
		return false
	}
	o.state = owesPaused
	c.ctl.ackPauses.Add(1)
	c.conn.Pause()
	c.waitLocked()
	return false
}

// untakenWait is after what time it is looked again whether a client has taken its acks.
const untakenWait = 20 * time.Millisecond

// waitLocked waits for the disk, or where that has answered for the client. One that takes nothing is closed as any other.
func (c *client) waitLocked() {
	if int(c.owed.bytes) > c.ctl.cfg.OwedBytes/2 {
		c.owed.timer = time.AfterFunc(c.ctl.cfg.OwedPatience, c.tireOfAcks)
	} else {
		c.owed.timer = time.AfterFunc(untakenWait, c.lookTaken)
	}
}

// lookTaken is what happens when the client has had some time to take its acks.
func (c *client) lookTaken() {
	c.owed.mu.Lock()
	defer c.owed.mu.Unlock()
	if c.owed.state == owesPaused {
		c.goOnLocked()
	}
}

// goOnLocked has a client read from again that was paid and has taken most of it, or waits on.
func (c *client) goOnLocked() {
	o := &c.owed
	if int(o.bytes) > c.ctl.cfg.OwedBytes/2 || c.conn.Unsent() > c.ctl.cfg.OwedBytes/4 {
		c.waitLocked()
		return
	}
	o.timer, o.state = nil, owesLittle
	c.conn.Resume()
}

// paid notes that an ack was sent, or that none is to come.
func (c *client) paid(room, key string) {
	o := &c.owed
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.bytes -= ackCost(room, key); int(o.bytes) > c.ctl.cfg.OwedBytes/2 {
		return
	}
	if o.state == owesPaused {
		o.timer.Stop()
		c.goOnLocked()
		return
	}
	o.state = owesLittle
}

// tireOfAcks is what happens when the disk has not answered for so long.
func (c *client) tireOfAcks() {
	o := &c.owed
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.state == owesPaused {
		o.state = owesLate
		c.conn.Resume()
	}
}

// ack tells the client what became of a message, which pays for one.
func (c *client) ack(room, name, key string, r codec.Receipt) {
	if r.Err != nil {
		c.refuse(c.untaken(room, name, key, r.Err))
		c.paid(room, key)
		return
	}
	c.send(func(dst []byte) []byte {
		return codec.AppendAck(dst, c.format, &codec.Ack{Room: room, Key: key, ID: r.ID, Durable: r.Durable})
	})
	c.paid(room, key)
}
