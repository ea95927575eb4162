package hub

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestBreath: a large room draws breath after a walk with several messages, and
// only then; a message that comes meanwhile waits for that, at most a millisecond.
func TestBreath(t *testing.T) {
	const write = 10 * time.Microsecond
	for _, test := range []struct {
		members, burst int
		waits          time.Duration
	}{
		{2 * paceMembers, 1, 0},
		{2 * paceMembers, 2, 2 * paceMembers * write / breathPart},
		{20 * paceMembers, 2, breathMax},
		{paceMembers - 1, 2, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newHub(t, Config{})
			members := make([]*tally, test.members)
			for i := range members {
				members[i] = new(tally)
				members[i].join(t, h, "ann")
			}
			time.Sleep(time.Minute)
			for _, s := range members {
				s.mu.Lock()
				s.takes = write
				s.mu.Unlock()
			}
			walk := time.Duration(test.members) * write
			say(t, h, "den", "first")
			time.Sleep(walk - write/2) // all but the last member have it
			for range test.burst {
				say(t, h, "den", "burst")
			}
			time.Sleep(walk + write) // the second walk has ended
			synctest.Wait()
			began := time.Now()
			say(t, h, "den", "next")
			time.Sleep(time.Minute)
			first := members[0]
			first.mu.Lock()
			waited := first.last.Sub(began) - write
			first.mu.Unlock()
			if waited > test.waits || waited < test.waits-write {
				t.Errorf("%d members, %d messages: the next waited %v, want %v", test.members, test.burst, waited, test.waits)
			}
			for _, s := range members { // before any of them leaves: nobody else waits for a lock while one sleeps
				s.mu.Lock()
				s.takes = 0
				s.mu.Unlock()
			}
			for _, s := range members {
				s.m.Leave()
			}
		})
	}
}
