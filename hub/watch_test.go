package hub

import (
	"fmt"
	"testing"
	"time"

	"edgechat/codec"
)

// TestWatch: what members take, what they come back for, and how long it took is counted; a room says who is behind.
func TestWatch(t *testing.T) {
	log := newPlainLog(10)
	h := newHub(t, Config{Log: log})
	if _, ok := h.State("den"); ok || len(h.States()) != 0 {
		t.Error("a room that nobody is in is live")
	}
	var fast, slow sink
	fast.room = endless
	join(t, h, "den", &fast, Join{Username: "ann"})
	join(t, h, "den", &slow, Join{Username: "bob", Quiet: true})
	for i := range 5 {
		say(t, h, "den", fmt.Sprint(i))
	}
	until(t, "5 messages to ann", func() bool { return h.Stats().Delivered == 5 && h.Stats().Delays.Count() > 0 })
	st, ok := h.State("den")
	if want := (RoomState{Name: "den", Members: 1, Quiet: 1, Head: st.Head, Delivered: 5, Behind: 1, Bytes: st.Bytes}); !ok || st != want || st.Head.Offset != 5 || st.Bytes == 0 {
		t.Errorf("%+v, want %+v", st, want)
	}
	slow.more(endless)
	until(t, "and 5 to bob", func() bool { return h.Stats().Delivered == 10 })
	if all := h.States(); len(all) != 1 || all[0].Behind != 0 {
		t.Errorf("%+v", all)
	}
	if s := h.Stats(); s.Posted != 5 || s.Published != 5 || s.Delays.Sum() <= 0 || s.Delays.Count() > 5 {
		t.Errorf("%+v", s)
	}
	fast.leave()
	slow.leave()
	if s := h.Stats(); s.Delivered != 10 {
		t.Errorf("%d messages were taken, in a room that has ended", s.Delivered)
	}

	// Who comes back with a cursor gets what he missed, or learns that he does not.
	for range 20 { // the log keeps 10
		say(t, h, "den", "later")
	}
	for _, since := range []uint64{20, 3} {
		back := sink{room: endless}
		p := join(t, h, "den", &back, Join{Username: "ann", Replay: true, Since: &codec.ID{Epoch: st.Head.Epoch, Offset: since}})
		_ = p
		until(t, "a replay", func() bool { s := h.Stats(); return s.Recovered+s.Gaps == map[uint64]uint64{20: 1, 3: 2}[since] })
		back.leave()
	}
	if s := h.Stats(); s.Recovered != 1 || s.Gaps != 1 {
		t.Errorf("recovered %d, gaps %d", s.Recovered, s.Gaps)
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("there is no %s", what)
		}
	}
}
