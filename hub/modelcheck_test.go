package hub

import (
	"fmt"
	"strconv"
	"strings"

	"edgechat/codec"
)

// quietName is that of members of whom nobody hears.
const quietName = "quiet"

// frameLocked checks one frame.
func (c *modelConn) frameLocked(line string) bool {
	f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
	if len(f) != 4 || f[0] != strconv.Itoa(c.format) {
		c.w.failf("%s got %.100q", c.name, line)
		return false
	}
	n, err := strconv.ParseUint(f[2], 10, 64)
	if err != nil {
		c.w.failf("%s got %.100q", c.name, line)
		return false
	}
	if c.joined == nil {
		c.w.failf("%s got %.100q before it was ready", c.name, line)
		return false
	}
	live := c.joined.Head.Offset + 1
	if f[1] == "m" {
		c.w.tried.messages.Add(1)
		if c.next == 0 && n <= live && n+c.limit >= live {
			c.next = n
		}
		if n != c.next || f[3] != c.w.log.said(n) {
			c.w.failf("%s got %.100q instead of message %d, %q (joined at %d)", c.name, line, c.next, c.w.log.said(c.next), live)
			return false
		}
		c.next++
		return true
	}
	c.w.tried.events.Add(1)
	if c.next == 0 {
		c.next = live // nothing was replayed
	}
	var after uint64
	var typ codec.Type
	var who string
	if _, err := fmt.Sscan(f[3], &after, &typ, &who); err != nil || after+1 != c.next || n <= c.event {
		c.w.failf("%s got %.100q after event %d and before message %d", c.name, line, c.event, c.next)
		return false
	}
	if who == quietName {
		c.w.failf("%s heard of somebody quiet: %.100q", c.name, line)
		return false
	}
	if c.event == 0 && !c.quiet && (typ != codec.TypeJoined || who != c.name) || c.event != 0 && n != c.event+1 {
		c.gapLocked()
	}
	c.event = n
	return true
}

// gapLocked notes that events are missing.
func (c *modelConn) gapLocked() {
	if c.gaps++; c.gaps > c.lags {
		c.w.failf("%s misses events after event %d for the %d. time, and was %d times out of the log", c.name, c.event, c.gaps, c.lags)
	}
}

// check looks at the bounds of the room's logs.
func (c *modelConn) check() {
	r := c.m.room
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.logs {
		if l == nil {
			continue
		}
		size := 0
		for _, k := range l.chunks {
			size += len(k.buf)
		}
		if size != l.size || size > l.limit+l.more && len(l.chunks) > 1 {
			c.w.failf("%d chunks of %d bytes, counted as %d, limit %d", len(l.chunks), size, l.size, l.limit)
		}
	}
}
