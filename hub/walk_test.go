package hub

import (
	"testing"
	"testing/synctest"
	"time"

	"edgechat/codec"
)

// TestSayDuringWalk: what is said while a message is written to the room goes
// to those, too, whom that walk has passed, with the next walk; in the turns of a loop that is
// one of a later turn.
func TestSayDuringWalk(t *testing.T) {
	for _, inTurn := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			h := newHub(t, Config{})
			a, b := &turnSink{}, &sink{room: endless}
			a.room = endless
			joined := enter(t, h, "den", a, Join{Username: "ann"})
			a.attach(joined.Member)
			join(t, h, "den", b, Join{Username: "bob"})
			time.Sleep(time.Minute)
			b.notify = func(*sink) {
				b.notify = nil
				say(t, h, "den", "2")
			}
			a.inTurn = inTurn
			if err := joined.Member.Publish("1", 0, "", codec.Done{}); err != nil {
				t.Fatal(err)
			}
			if inTurn && len(a.later) != 1 {
				t.Fatal("the walk was not put off to the end of the turn")
			}
			if turns := a.turns(); inTurn && turns != 2 {
				t.Errorf("the walks took %d turns, want 2", turns)
			}
			a.inTurn = false
			synctest.Wait()
			for _, s := range []*sink{&a.sink, b} { // before any of them leaves, which the other hears of
				if got := s.lines("joined"); len(got) != 2 {
					t.Errorf("in a turn %v: got %q", inTurn, got)
				}
			}
			a.leave()
			b.leave()
		})
	}
}

// A turnSink is a sink whose handler may run in a turn of an event loop.
type turnSink struct {
	sink
	inTurn bool
	later  []func() bool
}

func (s *turnSink) Later(f func() bool) bool {
	if s.inTurn {
		s.later = append(s.later, f)
	}
	return s.inTurn
}

// turns has what was put off done as a loop does, and returns in how many turns.
func (s *turnSink) turns() (n int) {
	for len(s.later) > 0 {
		n++
		later := s.later
		s.later = nil
		for _, f := range later {
			if f() {
				s.later = append(s.later, f)
			}
		}
	}
	return n
}

// TestLeaveDuringWalk: members that leave while a message is written to the
// room have nobody passed over, whose place ever is filled.
func TestLeaveDuringWalk(t *testing.T) {
	for _, leaver := range []int{0, 1, 63, 64, 100, 127, 128, 190, 198, 199} {
		synctest.Test(t, func(t *testing.T) {
			h := newHub(t, Config{})
			members := make([]*sink, 200)
			for i := range members {
				members[i] = &sink{room: endless}
				join(t, h, "den", members[i], Join{Username: "ann"})
			}
			time.Sleep(time.Minute)
			members[0].m.Typing() // the room rests: the next event waits
			synctest.Wait()
			gone := make(map[int]bool)
			for _, at := range []int{0, 70, 150, 199} { // while it is written to, two leave
				if at == leaver {
					continue
				}
				members[at].notify = func(*sink) {
					for _, i := range []int{leaver, (leaver + at + 31) % 200} {
						if i != at && !gone[i] {
							gone[i] = true
							members[i].leave()
						}
					}
				}
			}
			say(t, h, "den", "1")
			synctest.Wait()
			for i, s := range members {
				if got := s.lines("joined", "left", "typing"); len(got) != 1 && !gone[i] {
					t.Errorf("while %d and others left, %d got %q", leaver, i, got)
				}
				s.notify = nil
				if !gone[i] {
					s.leave()
				}
			}
		})
	}
}

// TestSlices: a walk of a large room takes several turns of a loop, and a message that is said
// between them goes out with the slices that are left, and then to those before.
func TestSlices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 4*sliceMembers - 10
		h := newHub(t, Config{})
		publisher := &turnSink{}
		publisher.room = endless
		publisher.attach(enter(t, h, "den", publisher, Join{Username: "ann"}).Member)
		members := make([]*sink, n-1)
		for i := range members {
			members[i] = &sink{room: endless}
			join(t, h, "den", members[i], Join{Username: "ann"})
		}
		time.Sleep(time.Minute)
		publisher.inTurn = true
		if err := publisher.m.Publish("1", 0, "", codec.Done{}); err != nil {
			t.Fatal(err)
		}
		have := func() (n int) {
			for _, s := range append(members, &publisher.sink) {
				n += len(s.lines("joined"))
			}
			return n
		}
		slice := publisher.later[0]
		if more := slice(); !more || have() != sliceMembers {
			t.Fatalf("%d of %d have it after a turn, more is %v", have(), n, more)
		}
		say(t, h, "den", "2")
		synctest.Wait()
		for range 2 {
			before := have()
			if more := slice(); !more || have()-before != 2*sliceMembers {
				t.Fatalf("%d frames in a turn, more is %v", have()-before, more)
			}
		}
		turns := 3
		for slice() {
			turns++
		}
		if turns > 8 || have() != 2*n {
			t.Errorf("%d frames of %d after %d turns", have(), 2*n, turns)
		}
		publisher.inTurn = false
		for _, s := range append(members, &publisher.sink) {
			checkOffsets(t, s.lines("joined", "left"), 1, 2)
			s.leave()
		}
	})
}
