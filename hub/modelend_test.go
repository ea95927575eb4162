package hub

import (
	"time"

	"edgechat/refusal"
)

// settle waits until the member has everything, without a word to it if it is free.
func (c *modelConn) settle() {
	c.mu.Lock()
	if !c.free {
		c.free = true
		c.mu.Unlock()
		c.Flush()
		c.mu.Lock()
	}
	c.mu.Unlock()
	for end := time.Now().Add(10 * time.Second); !c.settled(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			c.mu.Lock()
			c.w.failf("%s waits for message %d, and has event %d of %d; the last message is %d", c.name, c.next, c.event, c.w.events[c.format], c.w.log.Head("den").Offset)
			c.mu.Unlock()
			return
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.code != 0 {
		return
	}
	if head := c.w.log.Head("den").Offset; c.next != head+1 && (c.next != 0 || c.joined.Head.Offset != head) {
		c.w.failf("%s misses messages from %d to %d", c.name, c.next, head)
	}
	if all := c.w.events[c.format]; c.event != all && (c.event > 0 || !c.quiet) {
		c.gapLocked()
		c.event = all
	}
}

func (c *modelConn) settled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.m.room
	r.mu.Lock()
	defer r.mu.Unlock()
	return c.code != 0 || c.m.opening == nil && c.m.catchup == nil && c.m.pos == r.logs[c.format].top
}

// leave leaves, and returns the offset of the last message that it has.
func (c *modelConn) leave() uint64 {
	c.mu.Lock()
	m := c.m
	c.m = nil
	switch oldest := c.w.log.oldest(); {
	case c.code != 0 && c.code != refusal.CloseTryAgainLater:
		c.w.failf("%s was closed with %d", c.name, c.code)
	case c.code != 0 && c.next >= oldest:
		c.w.failf("%s was closed though message %d is in the Log, which begins at %d", c.name, c.next, oldest)
	}
	last := max(c.next, 1) - 1
	c.mu.Unlock()
	m.Leave()
	return last
}

func (c *modelConn) Pause()  { c.pauses.Add(1) }
func (c *modelConn) Resume() { c.pauses.Add(-1) }

// awaitResume is a loop that reads nothing from a connection that is paused.
func (c *modelConn) awaitResume() {
	for end := time.Now().Add(10 * time.Second); c.pauses.Load() > 0; time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			c.w.failf("%s is paused for ever", c.name)
			return
		}
		c.w.tried.pauses.Add(1)
	}
}
