package moderation

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edgechat/refusal"
)

// do has an act done that must be, and returns if it is on disk.
func do(t *testing.T, r *Rules, a Act) bool {
	t.Helper()
	o, err := Parse(a)
	if err != nil {
		t.Fatalf("%+v: %v", a, err)
	}
	durable, err := r.Do("test", o, nil)
	if err != nil {
		t.Fatalf("%+v: %v", a, err)
	}
	return durable
}

func open(t *testing.T, cfg Config) *Rules {
	t.Helper()
	r, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func closeRules(t *testing.T, r *Rules) {
	t.Helper()
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

var bob = Who{Name: "Bob", Address: netip.MustParseAddr("192.0.2.7")}

// code is how bob is refused, "" if he is not.
func code(no *Refusal) refusal.Code {
	if no == nil {
		return ""
	}
	return no.Code
}

// TestTimes: rules end when they should, while the server runs and over restarts, and never before.
func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(since) + time.Hour) // a clock that is set
		cfg := Config{Path: filepath.Join(t.TempDir(), "rules")}
		r := open(t, cfg)
		do(t, r, Act{Act: ActBan, Name: "Bob", For: "1h"})
		do(t, r, Act{Act: ActMute, Name: "Bob", For: "2h"})
		do(t, r, Act{Act: ActClose, Room: "den", For: "3h"})
		do(t, r, Act{Act: ActBan, Name: "Eve"})
		if no := r.Enter("attic", bob); code(no) != refusal.Banned || no.Wait != time.Hour || no.Text != "you are banned from this server for another 1h" {
			t.Errorf("%+v", no)
		}
		time.Sleep(time.Hour - time.Nanosecond)
		if code(r.Enter("attic", bob)) != refusal.Banned {
			t.Error("not banned for all of the hour")
		}
		time.Sleep(time.Nanosecond)
		if no := r.Enter("attic", bob); no != nil {
			t.Errorf("banned for longer: %+v", no)
		}
		if len(r.List("")) != 3 || r.Stats().Rules[KindBan] != 1 {
			t.Errorf("%+v", r.List(""))
		}
		// The file was written an hour ago; half an hour passes before the next start.
		closeRules(t, r)
		time.Sleep(30 * time.Minute)
		r = open(t, cfg)
		if no := r.Write("attic", bob); code(no) != refusal.Muted || no.Wait != 30*time.Minute {
			t.Errorf("%+v", no)
		}
		if no := r.Enter("den", Who{Name: "Ann", Moderator: true}); code(no) != refusal.RoomClosed || no.Wait != 90*time.Minute {
			t.Errorf("%+v", no)
		}
		closeRules(t, r)
		time.Sleep(30 * time.Minute)
		r = open(t, cfg)
		defer closeRules(t, r)
		if no := r.Write("attic", bob); no != nil {
			t.Errorf("muted after its time: %+v", no)
		}
		if code(r.Enter("attic", Who{Name: "Eve"})) != refusal.Banned {
			t.Error("what is for ever has ended")
		}
	})
}

// TestClockNotSet: a board without a battery starts in a year in which there was no such program; what passes on its clock until that
// is set is no time that a rule has lasted. Nor is a clock that was set back.
func TestClockNotSet(t *testing.T) {
	written := since.Add(-time.Hour)
	for _, test := range []struct {
		name         string
		written, now time.Time
		want         time.Duration
	}{
		{"set since", written, since.Add(1000 * time.Hour), 0},
		{"not set yet", written, written.Add(time.Minute), 0},
		{"set back", since.Add(10 * time.Hour), since.Add(time.Hour), 0},
		{"right all the time", since.Add(time.Hour), since.Add(3 * time.Hour), 2 * time.Hour},
	} {
		rule := Rule{Kind: KindBan, Name: "Bob", By: "test", end: test.written.Add(time.Hour)}
		b, err := encode([]Rule{rule}, test.written)
		if err != nil {
			t.Fatal(err)
		}
		rules, passed, problem, err := decode(b, test.now)
		if err != nil || problem != "" || len(rules) != 1 || rules[0].Left != 3600*1000 || passed != test.want {
			t.Errorf("%s: %+v, %v, %q, %v; want %v", test.name, rules, passed, problem, err, test.want)
		}
	}
}

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

// TestDiskFails: a rule holds though the disk does not take it, which is said, and told again when it does; the file is written again
// without anybody's doing.
func TestDiskFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "data")
		cfg := Config{Path: filepath.Join(dir, "rules")}
		r := open(t, cfg)
		if do(t, r, Act{Act: ActBan, Name: "Bob"}) {
			t.Error("durable in a folder that is not there")
		}
		if code(r.Enter("", bob)) != refusal.Banned || r.Warning() == nil || r.Stats().Failed != 1 {
			t.Errorf("%+v, %v", r.Stats(), r.Warning())
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		time.Sleep(retryAfter)
		synctest.Wait()
		if err := r.Warning(); err != nil {
			t.Errorf("not tried again: %v", err)
		}
		again := open(t, cfg)
		if code(again.Enter("", bob)) != refusal.Banned {
			t.Error("what was written again does not hold")
		}
		closeRules(t, again)
		if err := os.Rename(dir, dir+"-gone"); err != nil {
			t.Fatal(err)
		}
		do(t, r, Act{Act: ActUnban, Name: "Bob"})
		if err := r.Close(); err == nil || !strings.Contains(err.Error(), "moderation: write "+cfg.Path) {
			t.Errorf("a stop that could not write: %v", err)
		}
	})
}

// TestDamage: of a file that was changed anywhere, what can be read holds, the rest is told, and the file is kept.
func TestDamage(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "rules")}
	r := open(t, cfg)
	for _, name := range []string{"Ann", "Bob", "Eve"} {
		do(t, r, Act{Act: ActBan, Name: name, Reason: "spam"})
	}
	closeRules(t, r)
	whole, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	spoiled := func(b []byte, want int, problem string) {
		t.Helper()
		cfg := Config{Path: filepath.Join(t.TempDir(), "rules")}
		if err := os.WriteFile(cfg.Path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		r := open(t, cfg)
		defer closeRules(t, r)
		if n := len(r.List("")); n != want || r.Warning() == nil || !strings.Contains(r.Warning().Error(), problem) {
			t.Errorf("%q: %d rules, %v; want %d, %q", b, n, r.Warning(), want, problem)
		}
		aside, err := filepath.Glob(cfg.Path + ".corrupt-*")
		if err != nil || len(aside) != 1 {
			t.Fatalf("put aside: %v, %v", aside, err)
		}
		if kept, err := os.ReadFile(aside[0]); err != nil || string(kept) != string(b) {
			t.Errorf("the file is not kept as it was: %q, %v", kept, err)
		}
		clean := open(t, cfg)
		if clean.Warning() != nil || len(clean.List("")) != want {
			t.Errorf("written anew: %v, %d rules", clean.Warning(), len(clean.List("")))
		}
		closeRules(t, clean)
	}
	for i := range whole {
		b := append([]byte(nil), whole...)
		b[i] ^= 1
		if _, _, problem, err := decode(b, time.Now()); problem == "" && !errors.Is(err, ErrNewer) {
			t.Errorf("nobody notices that byte %d is another: %q", i, b)
		}
		if rules, _, problem, _ := decode(whole[:i], time.Now()); problem == "" && i < len(whole)-1 {
			t.Errorf("nobody notices that all from byte %d on is missing: %d rules", i, len(rules))
		}
	}
	spoiled([]byte(strings.Replace(string(whole), "Bob", "Bub", 1)), 2, "1 of its 3 rules cannot be read")
	spoiled(whole[:len(whole)-30], 3, "its end is missing")
	spoiled(nil, 0, "does not begin")
	lines := strings.SplitAfter(string(whole), "\n")
	spoiled([]byte(lines[0]+lines[1]+lines[4]), 1, "2 of its 3 rules")
	if err := os.WriteFile(cfg.Path, []byte("edgechat rules 2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer version: %v", err)
	}
	if err := os.Remove(cfg.Path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(cfg.Path, 0o700); err != nil {
		t.Fatal(err)
	}
	if r := open(t, cfg); r.Warning() == nil {
		t.Error("a folder in its place is not told")
	} else {
		closeRules(t, r)
	}
}

// TestMost: so many rules and no more, of which those that are over do not count, nor one that takes the place of another.
func TestMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := open(t, Config{Most: 2})
		do(t, r, Act{Act: ActBan, Name: "Ann", For: "1h"})
		do(t, r, Act{Act: ActBan, Name: "Bob"})
		do(t, r, Act{Act: ActBan, Name: "Bob", Reason: "again"})
		o, err := Parse(Act{Act: ActMute, Name: "Bob"})
		if err != nil {
			t.Fatal(err)
		}
		called := false
		_, err = r.Do("test", o, func() { called = true })
		if e, ok := errors.AsType[*refusal.Error](err); !ok || e.Code != refusal.TooManyRules || called {
			t.Errorf("one more: %v, applied %t", err, called)
		}
		time.Sleep(time.Hour)
		do(t, r, Act{Act: ActMute, Name: "Bob"})
		if list := r.List(""); len(list) != 2 || list[0].Reason != "again" {
			t.Errorf("%+v", list)
		}
		if _, err := Open(Config{Most: -1}); err == nil {
			t.Error("a negative Most")
		}
	})
}
