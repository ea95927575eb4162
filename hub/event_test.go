package hub

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A tally is a Conn that takes everything and counts: writes, and frames.
type tally struct {
	mu             sync.Mutex
	m              *Member
	writes, frames int
	last           time.Time     // of the last write
	takes          time.Duration // a write
}

func (s *tally) Flush() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.m != nil {
		p := s.m.Pending()
		if len(p) == 0 {
			break
		}
		s.writes++
		s.frames += strings.Count(string(p), "\n")
		time.Sleep(s.takes)
		s.last = time.Now()
		s.m.Wrote(len(p))
	}
	return true
}

func (s *tally) Later(func() bool) bool { return false }
func (s *tally) Close(uint16, string)   {}

func (s *tally) join(t *testing.T, h *Hub, name string) {
	t.Helper()
	m := enter(t, h, "den", s, Join{Username: name}).Member
	s.mu.Lock()
	s.m = m
	s.mu.Unlock()
	s.Flush()
}

// TestJoinStorm: a thousand members that join, and then leave, one after the
// other, are a write for each member and rest of the room, not for each event;
// with a log that holds a small part of the events, too, nothing is missed.
func TestJoinStorm(t *testing.T) {
	for _, logBytes := range []int{256 << 10, 2 << 10} {
		t.Run(fmt.Sprint(logBytes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n, apart = 1000, 100 * time.Microsecond
				h := newHub(t, Config{LogBytes: logBytes})
				members := make([]*tally, n)
				for i := range members {
					members[i] = new(tally)
					members[i].join(t, h, fmt.Sprint("u", i))
					time.Sleep(apart)
				}
				time.Sleep(eventPause)
				synctest.Wait()
				// One for itself, one at once, one for each rest, and for each quarter of
				// the log that is full; and a write ends where a chunk does.
				most := 2 + int(n*apart/eventPause) + 2*n*len("a joined u123\n")/(logBytes/4) + 5
				for i, s := range members {
					if s.frames != n-i {
						t.Fatalf("member %d got %d of %d events", i, s.frames, n-i)
					}
					if s.writes > most {
						t.Fatalf("member %d was written %d times for %d events, want at most %d", i, s.writes, s.frames, most)
					}
				}
				first := members[0]
				joins, writes := first.frames, first.writes
				for _, s := range slices.Backward(members[1:]) {
					s.m.Leave()
					time.Sleep(apart)
				}
				time.Sleep(eventPause)
				synctest.Wait()
				if got := first.frames - joins; got != n-1 {
					t.Errorf("%d events of %d that left", got, n-1)
				}
				if got := first.writes - writes; got > most {
					t.Errorf("%d writes for %d that left, want at most %d", got, n-1, most)
				}
				if s := h.Stats(); s.Lagged > 0 {
					t.Errorf("%d fell out of the log", s.Lagged)
				}
				first.m.Leave()
			})
		})
	}
}

// TestEventPause: the first event is written at once, the next when the room
// has rested, and a message at once, with what waits.
func TestEventPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, Config{})
		s, other := new(tally), new(tally)
		s.join(t, h, "ann")
		expect := func(frames, writes int) {
			t.Helper()
			synctest.Wait()
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.frames != frames || s.writes != writes {
				t.Errorf("%d frames in %d writes, want %d in %d", s.frames, s.writes, frames, writes)
			}
		}
		expect(1, 1)
		time.Sleep(time.Minute)
		other.join(t, h, "bob")
		expect(2, 2)
		time.Sleep(time.Millisecond)
		other.m.Typing()
		time.Sleep(time.Millisecond)
		other.m.Leave()
		time.Sleep(eventPause - 3*time.Millisecond)
		expect(2, 2)
		time.Sleep(time.Millisecond)
		expect(4, 3)
		s.m.Typing()
		expect(4, 3)
		say(t, h, "den", "hello")
		expect(6, 4)
		time.Sleep(eventPause / 2)
		say(t, h, "den", "hello")
		expect(7, 5)
		time.Sleep(time.Minute)
		expect(7, 5)
		s.m.Leave()
	})
}

// TestEventShare: the longer it takes to write events to a room, the longer the room rests.
func TestEventShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, Config{})
		members := make([]*tally, 50)
		for i := range members {
			members[i] = new(tally)
			members[i].join(t, h, "ann")
		}
		time.Sleep(time.Minute)
		for _, s := range members {
			s.mu.Lock()
			s.takes = time.Millisecond
			s.mu.Unlock()
		}
		members[0].m.Typing()
		synctest.Wait()
		time.Sleep(60 * time.Millisecond)
		members[1].m.Typing()
		began := time.Now()
		time.Sleep(time.Minute)
		for i, s := range members { // before any of them leaves: nobody else waits for a lock while one sleeps
			s.mu.Lock()
			s.takes = 0
			if d := s.last.Sub(began); d != (190+1+time.Duration(i))*time.Millisecond {
				t.Errorf("%d was written %v after an event that came 10 ms after a walk of 50 ms", i, d)
			}
			s.mu.Unlock()
		}
		for _, s := range members {
			s.m.Leave()
		}
	})
}

func (*tally) Pause()  {}
func (*tally) Resume() {}
