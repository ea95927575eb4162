package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"edgechat/codec"
)

// seedOf returns a backup of a follower that has the first n entries of a log.
func seedOf(t *testing.T, l *leader, n int) string {
	t.Helper()
	f := follow(t, Config{})
	apply(t, f, l.log[:n]...)
	path := filepath.Join(t.TempDir(), "seed")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Store().Backup(out), out.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSeeded: a backup of a follower says what it is, goes on behind its position as a follower alone, and has no place on another line.
func TestSeeded(t *testing.T) {
	l := newLeader()
	for range 5 {
		l.say("den", "x")
	}
	seed := seedOf(t, l, 3)
	path := filepath.Join(t.TempDir(), "edgechat.db")
	if r, err := Check(seed); err != nil || !r.Follows {
		t.Fatalf("%+v %v", r, err)
	}
	if _, _, err := Restore(seed, path); !errors.Is(err, ErrFollower) {
		t.Errorf("restored as what it is not: %v", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("and something is there")
	}
	if r, _, err := RestoreFollower(seed, path); err != nil || !r.Follows || r.Messages != 3 {
		t.Fatalf("%+v %v", r, err)
	}
	if r, err := Check(path); err != nil || !r.Follows {
		t.Fatalf("the store: %+v %v", r, err)
	}
	f := follow(t, Config{Path: path})
	want(t, "position", f.Position(), l.log[2].Position)
	apply(t, f, l.log[3:]...)
	p, err := f.Read("den", codec.Query{After: &l.log[0].Message.ID})
	if err != nil || !p.Recovered || len(p.Messages) != 4 {
		t.Errorf("recovered %v, %d messages, %v", p.Recovered, len(p.Messages), err)
	}

	alone := filepath.Join(t.TempDir(), "edgechat.db")
	if _, _, err := RestoreAlone(seed, alone); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Path: alone})
	if id := sayStored(t, s, "den", "y", "").ID; id.Epoch == "first" || id.Offset != 4 {
		t.Errorf("it said %s in an epoch of the log", id)
	}
	closeStore(t, s)
	if r, err := Check(alone); err != nil || r.Follows {
		t.Errorf("it is of the log still: %+v %v", r, err)
	}
	if _, _, err := RestoreFollower(alone, path+"2"); !errors.Is(err, ErrNotFollower) {
		t.Errorf("%v", err)
	}
}

// TestSeededFork: if the log went back since a backup was made, and what was said after it is nowhere any more, then who has seen that is told; also after a restart, and
// over a leap. A follower that was there itself knows better.
func TestSeededFork(t *testing.T) {
	for name, c := range map[string]struct{ seeded, restarted, leapt bool }{
		"there": {}, "seeded": {seeded: true}, "seeded, restarted": {seeded: true, restarted: true}, "seeded, leapt": {seeded: true, leapt: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLeader()
			for range 5 {
				l.say("den", "x")
			}
			end, behind := l.log[2].Message.ID, l.log[4].Message.ID
			path := filepath.Join(t.TempDir(), "edgechat.db")
			if c.seeded {
				if _, _, err := RestoreFollower(seedOf(t, l, 3), path); err != nil {
					t.Fatal(err)
				}
			}
			f := follow(t, Config{Path: path})
			if !c.seeded {
				apply(t, f, l.log[:3]...)
			}
			if c.restarted {
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				f = follow(t, Config{Path: path})
			}
			l.lose(3)
			if c.leapt {
				if err := f.Leap(l.n<<epochShift|l.count, l.n, l.names[l.n], l.heads); err != nil {
					t.Fatal(err)
				}
			}
			again := l.say("den", "said anew")
			apply(t, f, again)
			for id, recovered := range map[codec.ID]bool{end: true, behind: !c.seeded, again.Message.ID: true} {
				if p, err := f.Read("den", codec.Query{After: &id}); err != nil || p.Recovered != recovered {
					t.Errorf("after %s: recovered %v, want %v, %v", id, p.Recovered, recovered, err)
				}
			}
		})
	}
}
