package hub

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"edgechat/codec"
)

// A modelConn is a Conn that takes any number of whole frames at a time, as a kernel
// does, and checks each.
type modelConn struct {
	w      *world
	name   string
	format int
	free   bool          // it takes all there is, and is flushed by the room alone
	turn   bool          // its actor is in a turn of a loop; the actor's, as is
	later  []func() bool // what that turn has put off

	mu      sync.Mutex
	quiet   bool
	joined  *Joined      // nil until it may begin
	limit   uint64       // of the replay
	pauses  atomic.Int32 // that are not ended
	rnd     *rand.Rand
	m       *Member // nil once it has left
	budget  int     // frames that it takes until it gets more, if not free
	writing bool    // a writer has some, without the lock
	code    uint16
	next    uint64 // offset of the message that must come next; 0 before the first of a replay with a limit
	event   uint64 // number of the last event; 0 before the first
	gaps    int    // runs of events that it did not get
	lags    int    // times that it fell out of the log
}

// join joins, with a replay perhaps; last is what it has from a visit before, or 0.
func (c *modelConn) join(rnd *rand.Rand, last uint64) bool {
	j := Join{Username: c.name, Format: rnd.IntN(2), Quiet: rnd.IntN(4) == 0}
	if c.quiet = j.Quiet; c.quiet {
		j.Username = quietName
	}
	c.format = j.Format
	if last == 0 && rnd.IntN(2) == 0 {
		last = rnd.Uint64N(c.w.log.delivered.Load() + 1)
	}
	if last > 0 && rnd.IntN(4) > 0 {
		j.Replay, j.Since = true, &codec.ID{Epoch: "e", Offset: last}
	} else {
		j.Replay = rnd.IntN(2) == 0
	}
	if j.Replay && rnd.IntN(4) == 0 {
		j.Limit = 1 + rnd.IntN(100)
	}
	ready := make(chan bool, 2)
	m := c.w.hub.Join("den", c, j, func(joined Joined, err error) {
		if err != nil {
			c.w.failf("%v", err)
		}
		c.begin(j, joined, last)
		ready <- true
	})
	c.w.tried.joins.Add(1)
	c.mu.Lock()
	c.m = m
	c.mu.Unlock()
	c.Flush()
	if rnd.IntN(2) == 0 {
		<-ready
	}
	return true
}

// begin is told where the member stands, before it has anything.
func (c *modelConn) begin(j Join, joined Joined, last uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.joined != nil {
		c.w.failf("%s was ready twice", c.name)
	}
	c.joined, c.limit = &joined, uint64(j.Limit)
	switch live := joined.Head.Offset + 1; {
	case !j.Replay:
		c.next = live
	case j.Limit > 0: // the first tells
	case j.Since != nil && joined.Recovered:
		c.next = last + 1
	case joined.Oldest.Offset == 0:
		c.next = live
	default:
		c.next = min(joined.Oldest.Offset, live)
	}
}

// act does one thing.
func (c *modelConn) act(rnd *rand.Rand, i int) {
	switch rnd.IntN(7) {
	case 0:
		c.awaitResume()
		c.turn = rnd.IntN(2) == 0
		for k := range 1 + rnd.IntN(3) {
			if _, err := c.m.Publish(c.w.content(rnd, fmt.Sprint(c.name, ".", i), k), 0, "", nil); err != nil {
				c.w.failf("%v", err)
			}
		}
		for _, f := range c.later {
			for f() {
			}
		}
		c.turn, c.later = false, nil
	case 1:
		c.m.Typing()
	case 2:
		c.write(time.Duration(rnd.IntN(2000)) * time.Microsecond)
	case 3, 4:
		c.more(rnd.IntN(50))
	case 5:
		c.check()
	case 6:
		time.Sleep(time.Duration(rnd.IntN(3000)) * time.Microsecond)
	}
}

func (c *modelConn) Later(f func() bool) bool {
	if c.turn {
		c.later = append(c.later, f)
	}
	return c.turn
}

func (c *modelConn) Close(code uint16, _ string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.code = code
}

func (c *modelConn) closed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code != 0
}

// more is a peer that has read, so that its connection takes more.
func (c *modelConn) more(frames int) {
	c.mu.Lock()
	c.budget += frames
	free := c.free
	c.mu.Unlock()
	if !free {
		c.Flush()
	}
}

// Flush takes pieces until nothing is left or no more is taken.
func (c *modelConn) Flush() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.m != nil && c.code == 0 && !c.writing {
		piece, done := c.pieceLocked()
		if len(piece) == 0 {
			return done
		}
		c.takeLocked(piece)
	}
	return false
}

// write is a writer that waits for its peer, as the goroutine driver has: what
// it has of the Member must stay as it is meanwhile.
func (c *modelConn) write(wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || c.code != 0 {
		return
	}
	piece, _ := c.pieceLocked()
	if len(piece) == 0 {
		return
	}
	c.writing = true
	before := bytes.Clone(piece)
	c.mu.Unlock()
	time.Sleep(wait)
	c.mu.Lock()
	if !bytes.Equal(piece, before) {
		c.w.failf("%s: frames changed while they were written", c.name)
	}
	c.takeLocked(piece)
	c.writing = false
	c.mu.Unlock()
	c.Flush()
	c.mu.Lock()
}

// pieceLocked returns some whole frames of what is pending. done says that
// nothing is.
func (c *modelConn) pieceLocked() (piece []byte, done bool) {
	r := c.m.room
	r.mu.Lock()
	pos := c.m.pos
	r.mu.Unlock()
	p := c.m.Pending()
	r.mu.Lock()
	if c.m.pos != pos { // it fell out, and pos is where the log ended
		c.lags++
		c.w.tried.lags.Add(1)
		if missed := c.m.pos - pos; !c.w.tooFar(missed) {
			c.w.failf("%s fell out of the log when %d bytes of %d behind", c.name, missed, c.w.limit)
		}
	}
	r.mu.Unlock()
	if len(p) == 0 {
		return nil, true
	}
	frames := 1 + c.rnd.IntN(bytes.Count(p, []byte("\n")))
	if !c.free {
		frames = min(frames, c.budget)
		c.budget -= frames
	}
	n := 0
	for range frames {
		n += bytes.IndexByte(p[n:], '\n') + 1
	}
	return p[:n], false
}

func (c *modelConn) takeLocked(piece []byte) {
	c.w.tried.pieces.Add(1)
	for line := range bytes.Lines(piece) {
		if !c.frameLocked(string(line)) {
			break
		}
	}
	c.m.Wrote(len(piece))
}
