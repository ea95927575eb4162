package hub

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"time"

	"edgechat/codec"
)

// A modelSeat is the place of a modelConn in one of its rooms. The lock of its connection guards it.
type modelSeat struct {
	c      *modelConn
	room   *modelRoom
	name   string // of its own, so that its events are
	format int
	quiet  bool
	m      *Member

	joined *Joined // nil until it may begin
	limit  uint64  // of the replay
	next   uint64  // offset of the message that must come next; 0 before the first of a replay with a limit
	event  uint64  // number of the last event; 0 before the first
	gaps   int     // runs of events that it did not get
	lags   int     // times that it fell out of the log
}

// join joins, with a replay perhaps, from where the client was if it has been there.
func (s *modelSeat) join(rnd *rand.Rand) {
	j := Join{Username: s.name, Format: rnd.IntN(2), Quiet: rnd.IntN(4) == 0}
	if s.quiet = j.Quiet; s.quiet {
		j.Username = quietName
	}
	s.format = j.Format
	last := s.c.last[s.room]
	if last == 0 && rnd.IntN(2) == 0 {
		last = rnd.Uint64N(s.room.delivered.Load() + 1)
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
	m := s.c.w.hub.Join(s.room.name, s.c, j, func(joined Joined, err error) {
		if err != nil {
			s.c.w.failf("%v", err)
		}
		s.begin(j, joined, last)
		ready <- true
	})
	s.c.w.tried.joins.Add(1)
	s.c.mu.Lock()
	s.m = m
	s.c.seats = append(s.c.seats, s)
	s.c.mu.Unlock()
	s.c.Flush()
	if rnd.IntN(2) == 0 {
		<-ready
	}
}

// begin is told where the member stands, before it has anything.
func (s *modelSeat) begin(j Join, joined Joined, last uint64) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.joined != nil {
		s.c.w.failf("%s was ready twice", s.name)
	}
	s.joined, s.limit = &joined, uint64(j.Limit)
	switch live := joined.Head.Offset + 1; {
	case !j.Replay:
		s.next = live
	case j.Limit > 0: // the first tells
	case j.Since != nil && joined.Recovered:
		s.next = last + 1
	case joined.Oldest.Offset == 0:
		s.next = live
	default:
		s.next = min(joined.Oldest.Offset, live)
	}
}

func (s *modelSeat) publish(content string) {
	if err := s.m.Publish(content, 0, "", codec.Done{}); err != nil {
		s.c.w.failf("%v", err)
	}
}

// pendingLocked returns what the member has pending, and notes if it fell out of the log.
func (s *modelSeat) pendingLocked() []byte {
	r := s.m.room
	r.mu.Lock()
	pos := s.m.pos
	r.mu.Unlock()
	p := s.m.Pending()
	r.mu.Lock()
	defer r.mu.Unlock()
	if s.m.pos != pos { // it fell out, and pos is where the log ended
		s.lags++
		s.c.w.tried.lags.Add(1)
		if missed := s.m.pos - pos; !s.c.w.tooFar(missed) {
			s.c.w.failf("%s fell out of the log when %d bytes of %d behind", s.name, missed, s.c.w.limit)
		}
	}
	return p
}

// takeLocked checks frames, and says that they are written.
func (s *modelSeat) takeLocked(frames []byte) {
	for line := range bytes.Lines(frames) {
		if !s.frameLocked(string(line)) {
			break
		}
	}
	s.m.Wrote(len(frames))
}

// leave leaves the room, and notes the last message that the client has.
func (s *modelSeat) leave() {
	c := s.c
	c.mu.Lock()
	i := slices.Index(c.seats, s)
	c.seats = slices.Delete(c.seats, i, i+1)
	c.left = append(c.left, s)
	c.last[s.room] = max(s.next, 1) - 1
	c.mu.Unlock()
	s.m.Leave()
}

// settle waits until the member has everything.
func (s *modelSeat) settle() {
	w := s.c.w
	for end := time.Now().Add(patience); !s.settled() && !w.t.Failed(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			s.c.mu.Lock()
			w.failf("%s waits in %s for message %d, and has event %d of %d; the last message is %d", s.name, s.room.name, s.next, s.event, s.room.events[s.format], w.log.Head(s.room.name).Offset)
			s.c.mu.Unlock()
			return
		}
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.c.code != 0 {
		return
	}
	if head := w.log.Head(s.room.name).Offset; s.next != head+1 && (s.next != 0 || s.joined.Head.Offset != head) {
		w.failf("%s misses messages of %s from %d to %d", s.name, s.room.name, s.next, head)
	}
	if all := s.room.events[s.format]; s.event != all && (s.event > 0 || !s.quiet) {
		s.gapLocked()
		s.event = all
	}
}

func (s *modelSeat) settled() bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	r := s.m.room
	r.mu.Lock()
	defer r.mu.Unlock()
	return s.c.code != 0 || s.m.opening == nil && s.m.catchup == nil && s.m.pos == r.logs[s.format].top
}
