package moderation

import (
	"errors"
	"net/netip"
	"path/filepath"
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
