package hub

import (
	"fmt"
	"slices"
	"testing"

	"edgechat/codec"
)

// TestCut: who is in a room whose Log goes back is closed with 1012 and sees nothing of what follows; who joins then
// sees all of it, with its offsets from where the Log stands.
func TestCut(t *testing.T) {
	log := newPlainLog(100)
	h := newHub(t, Config{Log: log})
	behind := &sink{room: 20} // has not been written all
	before := &sink{room: endless}
	join(t, h, "den", before, Join{Username: "before"})
	join(t, h, "den", behind, Join{Username: "behind", Format: 1})
	other := &sink{room: endless}
	join(t, h, "hall", other, Join{Username: "other"})
	for i := 1; i <= 5; i++ {
		say(t, h, "den", fmt.Sprint(i))
	}
	before.await(t, "m 5 x 5")

	r := log.room("den")
	r.mu.Lock()
	r.head, r.messages = 2, r.messages[:2]
	log.cut("den", codec.ID{Epoch: "e", Offset: 2})
	r.mu.Unlock()
	for _, s := range []*sink{before, behind} {
		if code := s.closed(); code != 1012 {
			t.Errorf("closed with %d", code)
		}
	}
	after := &sink{room: endless}
	if p := join(t, h, "den", after, Join{Username: "after"}); p.Head.Offset != 2 || p.Members != 1 {
		t.Errorf("joined %+v", p.Joined)
	}
	for i := 3; i <= 9; i++ {
		say(t, h, "den", fmt.Sprint(i))
	}
	after.await(t, "m 9 x 9")
	checkOffsets(t, after.lines("joined", "left"), 3, 9)
	for _, s := range []*sink{before, behind} {
		s.more(endless)
		if slices.ContainsFunc(s.lines(), func(l string) bool { return l == "a m 9 x 9" || l == "b m 9 x 9" }) {
			t.Error("written what came after the cut")
		}
		s.leave()
	}
	if code := other.closed(); code != 0 {
		t.Errorf("in another room: closed with %d", code)
	}
	if s := h.Stats(); s.Cut != 2 || s.Members != 2 {
		t.Errorf("%+v", s)
	}
	after.leave()
	other.leave()
}
