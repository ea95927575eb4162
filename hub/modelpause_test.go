package hub

import (
	"cmp"
	"slices"
	"time"
)

// patience is how long the model waits for what must come, on a machine that is busy.
const patience = 30 * time.Second

func (c *modelConn) Pause()  { c.pauses.Add(1) }
func (c *modelConn) Resume() { c.pauses.Add(-1) }

// awaitResume is a loop that reads nothing from a connection that is paused.
func (c *modelConn) awaitResume() {
	for end := time.Now().Add(patience); c.pauses.Load() > 0 && !c.w.t.Failed(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			c.w.failf("%s is paused for ever", c.name)
			return
		}
		c.checkPauses()
		c.w.tried.pauses.Add(1)
	}
}

// checkPauses: each room that holds the connection back has a pause of its own, so that it does not go on before
// the last of them lets it. The actor, who is paused as he publishes, calls it: what else is under way are resumes.
func (c *modelConn) checkPauses() {
	c.mu.Lock()
	seats := slices.SortedFunc(slices.Values(c.seats), func(a, b *modelSeat) int { return cmp.Compare(a.room.place, b.room.place) })
	c.mu.Unlock()
	held := 0
	for _, s := range seats { // all at once; nobody else has more than one of them locked
		s.m.room.mu.Lock()
		defer s.m.room.mu.Unlock()
		if s.m.paused {
			held++
		}
	}
	if n := int(c.pauses.Load()); n < held {
		c.w.failf("%s is held back by %d rooms, and paused %d times", c.name, held, n)
	}
	if held > 1 {
		c.w.tried.pairs.Add(1)
	}
}

// settle waits until the connection has everything, without a word to it if it is free.
func (c *modelConn) settle() {
	c.mu.Lock()
	if !c.free {
		c.free = true
		c.mu.Unlock()
		c.Flush()
		c.mu.Lock()
	}
	seats := slices.Clone(c.seats)
	c.mu.Unlock()
	for _, s := range seats {
		s.settle()
	}
}
