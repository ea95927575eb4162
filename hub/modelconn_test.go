package hub

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"edgechat/refusal"
)

// A modelConn is a Conn with a seat in each of its rooms. It takes any number of whole frames at a
// time, of several rooms together, as a kernel does, and each seat checks its own.
type modelConn struct {
	w     *world
	name  string
	free  bool                  // it takes all there is, and is flushed by its rooms alone
	last  map[*modelRoom]uint64 // message that its client has; the actor's, as
	taken int                   // how many seats it has had,
	turn  bool                  // whether it is in a turn of a loop,
	later []func() bool         // and what that turn has put off

	pauses atomic.Int32 // that are not ended

	mu      sync.Mutex
	rnd     *rand.Rand
	seats   []*modelSeat // whose members are attached
	left    []*modelSeat // that it has had before
	budget  int          // frames that it takes until it gets more, if not free
	writing bool         // a writer has some, without the lock
	code    uint16
}

// act does one thing.
func (c *modelConn) act(rnd *rand.Rand, i int) {
	switch rnd.IntN(9) {
	case 0, 1:
		c.awaitResume()
		c.inTurn(rnd, func() {
			for k := range 1 + rnd.IntN(4) { // what was read before it was paused is still heard
				if s := c.any(rnd); s != nil {
					s.publish(c.w.content(rnd, fmt.Sprint(c.name, ".", i), k))
				}
			}
		})
		c.checkPauses()
	case 2:
		if s := c.any(rnd); s != nil {
			s.m.Typing()
		}
	case 3:
		c.write(time.Duration(rnd.IntN(2000)) * time.Microsecond)
	case 4, 5:
		c.more(rnd.IntN(50))
	case 6:
		if s := c.any(rnd); s != nil {
			s.checkLogs()
		}
	case 7:
		time.Sleep(time.Duration(rnd.IntN(3000)) * time.Microsecond)
	case 8: // one room less or more, the others go on; it may be paused in this turn
		if rnd.IntN(4) > 0 {
			c.awaitResume()
		}
		c.inTurn(rnd, func() {
			if s := c.any(rnd); s != nil && rnd.IntN(2) == 0 {
				s.leave()
			}
			c.joinOne(rnd)
		})
		c.checkPauses()
	}
}

// inTurn runs f as a handler in a turn of a loop, or without.
func (c *modelConn) inTurn(rnd *rand.Rand, f func()) {
	c.turn = rnd.IntN(2) == 0
	f()
	for _, f := range c.later {
		for f() {
		}
	}
	c.turn, c.later = false, nil
}

// any returns one of its seats, or nil.
func (c *modelConn) any(rnd *rand.Rand) *modelSeat {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.seats) == 0 {
		return nil
	}
	return c.seats[rnd.IntN(len(c.seats))]
}

// joinOne joins a room that it is not in, if there is one.
func (c *modelConn) joinOne(rnd *rand.Rand) {
	at := rnd.IntN(len(c.w.rooms))
	for i := range c.w.rooms {
		room := c.w.rooms[(at+i)%len(c.w.rooms)]
		c.mu.Lock()
		there := slices.ContainsFunc(c.seats, func(s *modelSeat) bool { return s.room == room })
		c.mu.Unlock()
		if !there {
			c.taken++
			s := &modelSeat{c: c, room: room, name: fmt.Sprint(c.name, ".", c.taken)}
			s.join(rnd)
			return
		}
	}
}

// end leaves all rooms, as when the connection was closed.
func (c *modelConn) end() {
	c.mu.Lock()
	seats := slices.Clone(c.seats)
	if c.code != 0 && c.code != refusal.CloseTryAgainLater {
		c.w.failf("%s was closed with %d", c.name, c.code)
	}
	lost := func(s *modelSeat) bool { return s.next < c.w.log.Oldest(s.room.name).Offset }
	if c.code != 0 && !slices.ContainsFunc(c.seats, lost) && !slices.ContainsFunc(c.left, lost) {
		c.w.failf("%s was closed though all that it misses is in the Log", c.name)
	}
	c.mu.Unlock()
	for _, s := range seats {
		s.leave()
	}
	for _, room := range c.w.rooms {
		if r := c.w.hub.find(room.name); r != nil {
			r.mu.Lock()
			if slices.ContainsFunc(r.members, func(m *Member) bool { return m.conn == c }) {
				c.w.failf("%s has ended and is in %s", c.name, room.name)
			}
			r.mu.Unlock()
		}
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
	for c.code == 0 && !c.writing {
		pieces, done := c.piecesLocked()
		if len(pieces) == 0 {
			return done
		}
		c.takeLocked(pieces)
	}
	return false
}

// write is a writer that waits for its peer, as the goroutine driver has: what
// it has of the Members must stay as it is meanwhile.
func (c *modelConn) write(wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code != 0 {
		return
	}
	pieces, _ := c.piecesLocked()
	if len(pieces) == 0 {
		return
	}
	c.writing = true
	before := make([][]byte, len(pieces))
	for i, p := range pieces {
		before[i] = bytes.Clone(p.frames)
	}
	c.mu.Unlock()
	time.Sleep(wait)
	c.mu.Lock()
	for i, p := range pieces {
		if !bytes.Equal(p.frames, before[i]) {
			c.w.failf("%s: frames changed while they were written", p.s.name)
		}
	}
	c.takeLocked(pieces)
	c.writing = false
	c.mu.Unlock()
	c.Flush()
	c.mu.Lock()
}

// A portion is some whole frames of what a seat has pending.
type portion struct {
	s      *modelSeat
	frames []byte
}

// piecesLocked returns what is written together: pieces of some of its rooms. done says that nothing is
// pending in any of them.
func (c *modelConn) piecesLocked() (pieces []portion, done bool) {
	done = true
	at := c.rnd.IntN(max(len(c.seats), 1))
	for i := range c.seats {
		s := c.seats[(at+i)%len(c.seats)]
		p := s.pendingLocked()
		if len(p) == 0 {
			continue
		}
		done = false
		all := bytes.Count(p, []byte("\n"))
		frames := 1 + c.rnd.IntN(all)
		if !c.free {
			frames = min(frames, c.budget)
			c.budget -= frames
		}
		n := 0
		for range frames {
			n += bytes.IndexByte(p[n:], '\n') + 1
		}
		if n > 0 {
			pieces = append(pieces, portion{s, p[:n]})
		}
		if frames < all { // no more than that was taken
			break
		}
	}
	return pieces, done
}

func (c *modelConn) takeLocked(pieces []portion) {
	for _, p := range pieces {
		p.s.takeLocked(p.frames)
	}
	c.w.tried.pieces.Add(uint64(len(pieces)))
	if len(pieces) > 1 {
		c.w.tried.shared.Add(uint64(len(pieces)))
	}
}
