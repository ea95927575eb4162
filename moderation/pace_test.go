package moderation

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edgechat/refusal"
)

// TestPace: one message in the time of the room, of each, and at once when the room is faster.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Config{})
		do(t, r, Act{Act: ActSlow, Room: "den", Every: "10s"})
		wait := func(w Who, want time.Duration) {
			t.Helper()
			no := r.Pace("den", w)
			if want == 0 && no != nil || want != 0 && (code(no) != refusal.SlowMode || no.Wait != want) {
				t.Errorf("%+v: %+v, want a wait of %v", w, no, want)
			}
		}
		ann, elsewhere := Who{Identity: "Ann", Name: "Ann"}, Who{Name: "Bob", Address: netip.MustParseAddr("192.0.2.8")}
		wait(bob, 0)
		wait(bob, 10*time.Second)
		wait(elsewhere, 0)
		wait(ann, 0)
		time.Sleep(4 * time.Second)
		wait(bob, 6*time.Second)
		wait(Who{Identity: "Ann", Name: "Ann", Address: bob.Address}, 6*time.Second) // a token is one member from everywhere
		wait(Who{Name: "Mod", Moderator: true}, 0)
		wait(Who{Name: "Mod", Moderator: true}, 0)
		do(t, r, Act{Act: ActSlow, Room: "den", Every: "2s"})
		wait(bob, 2*time.Second)
		time.Sleep(6 * time.Second)
		wait(bob, 0)
		if no := r.Pace("attic", bob); no != nil {
			t.Errorf("%+v", no)
		}
		for i := range 3 * maxPaced {
			r.Pace("den", Who{Name: fmt.Sprint(i)})
		}
		if n := len(r.pace.next); n > maxPaced {
			t.Errorf("%d members are remembered", n)
		}
	})
}

// TestSlowNames: without a token a new name is no way around slow mode. All of an address, or of a /64, send a few, whatever they call
// themselves; those elsewhere, and who has a token, are not held up by them.
func TestSlowNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every = 10 * time.Second
		r := open(t, Config{SlowPerAddress: 5})
		do(t, r, Act{Act: ActSlow, Room: "den", Every: "10s"})
		said := func(names int, address func(i int) string) (taken int) {
			for i := range names {
				no := r.Pace("den", Who{Name: fmt.Sprint("Name ", i, time.Now().UnixNano()), Address: netip.MustParseAddr(address(i))})
				switch {
				case no == nil:
					taken++
				case no.Code != refusal.SlowMode || no.Wait <= 0 || no.Wait > every/5 || !strings.Contains(no.Text, "5 messages in 10s"):
					t.Fatalf("%+v", no)
				}
			}
			return taken
		}
		one := func(int) string { return "192.0.2.7" }
		if n := said(100, one); n != 5 {
			t.Errorf("%d messages of one address at once, under as many names", n)
		}
		if n := said(100, func(i int) string { return fmt.Sprintf("2001:db8::%x", i+1) }); n != 5 {
			t.Errorf("%d messages of one /64 at once", n)
		}
		if n := said(20, func(i int) string { return fmt.Sprintf("2001:db8:0:%x::1", i+1) }); n != 20 {
			t.Errorf("%d messages of 20 sites", n)
		}
		if no := r.Pace("den", Who{Identity: "Ann", Name: "Ann", Address: netip.MustParseAddr(one(0))}); no != nil {
			t.Errorf("who has a token: %+v", no)
		}
		if no := r.Pace("attic", Who{Name: "Bob", Address: netip.MustParseAddr(one(0))}); no != nil {
			t.Errorf("another room: %+v", no)
		}
		if n := r.Stats().Crowded; n != 95+95 {
			t.Errorf("%d counted", n)
		}
		total := 0
		for range 100 { // ten times as long: five in each ten seconds, and none more
			time.Sleep(time.Second)
			total += said(3, one)
		}
		if total != 50 {
			t.Errorf("%d messages in 100 s", total)
		}
		do(t, r, Act{Act: ActSlow, Room: "den", Every: "1s"}) // faster: what was said at the old pace holds nobody up for long
		ofTwenty(r)
		time.Sleep(time.Second)
		if n := ofTwenty(r); n != 5 {
			t.Errorf("%d messages once the room is faster", n)
		}
		unlimited := open(t, Config{})
		do(t, unlimited, Act{Act: ActSlow, Room: "den", Every: "10s"})
		if n := ofTwenty(unlimited); n != 20 {
			t.Errorf("%d of 20 where there is no limit", n)
		}
	})
}

// ofTwenty returns how many of 20 names at one address are let to say something.
func ofTwenty(r *Rules) (taken int) {
	for i := range 20 {
		if r.Pace("den", Who{Name: fmt.Sprint("Other ", i), Address: netip.MustParseAddr("192.0.2.7")}) == nil {
			taken++
		}
	}
	return taken
}
