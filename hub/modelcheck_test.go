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
func (s *modelSeat) frameLocked(line string) bool {
	w := s.c.w
	f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 5)
	if len(f) != 5 || f[0] != strconv.Itoa(s.format) || f[1] != s.room.name {
		w.failf("%s in %s got %.100q", s.name, s.room.name, line)
		return false
	}
	n, err := strconv.ParseUint(f[3], 10, 64)
	if err != nil {
		w.failf("%s got %.100q", s.name, line)
		return false
	}
	if s.joined == nil {
		w.failf("%s got %.100q before it was ready", s.name, line)
		return false
	}
	live := s.joined.Head.Offset + 1
	if f[2] == "m" {
		w.tried.messages.Add(1)
		if s.next == 0 && n <= live && n+s.limit >= live {
			s.next = n
		}
		if n != s.next || f[4] != s.room.said(n) {
			w.failf("%s got %.100q instead of message %d, %q (joined at %d)", s.name, line, s.next, s.room.said(s.next), live)
			return false
		}
		s.next++
		return true
	}
	w.tried.events.Add(1)
	if s.next == 0 {
		s.next = live // nothing was replayed
	}
	var after uint64
	var typ codec.Type
	var who string
	if _, err := fmt.Sscan(f[4], &after, &typ, &who); err != nil || after+1 != s.next || n <= s.event {
		w.failf("%s got %.100q after event %d and before message %d", s.name, line, s.event, s.next)
		return false
	}
	if who == quietName {
		w.failf("%s heard of somebody quiet: %.100q", s.name, line)
		return false
	}
	if s.event == 0 && !s.quiet && (typ != codec.TypeJoined || who != s.name) || s.event != 0 && n != s.event+1 {
		s.gapLocked()
	}
	s.event = n
	return true
}

// gapLocked notes that events are missing.
func (s *modelSeat) gapLocked() {
	if s.gaps++; s.gaps > s.lags {
		s.c.w.failf("%s misses events after event %d for the %d. time, and was %d times out of the log", s.name, s.event, s.gaps, s.lags)
	}
}

// checkLogs looks at the bounds of the room's logs.
func (s *modelSeat) checkLogs() {
	r := s.m.room
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
			s.c.w.failf("%d chunks of %d bytes, counted as %d, limit %d", len(l.chunks), size, l.size, l.limit)
		}
	}
}
