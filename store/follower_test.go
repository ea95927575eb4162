package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edgechat/codec"
)

// follow opens a follower that is closed when the test ends.
func follow(t *testing.T, cfg Config) *Follower {
	t.Helper()
	if cfg.Path == "" {
		cfg.Path = filepath.Join(t.TempDir(), "edgechat.db")
	}
	if cfg.identify == nil {
		cfg.identify = func(*os.File) string { return "the same" }
	}
	cfg.AckDelay = time.Nanosecond
	f, err := OpenFollower(cfg)
	if err != nil {
		t.Fatal(err)
	}
	f.Deliver(func(string, *codec.Message) {}, func(string, codec.ID) {})
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		check(t, cfg.Path)
	})
	return f
}

// TestFollow: a follower has the ids and the keys of the log, across restarts and crashes, without an epoch of its own; what it is
// given again changes nothing.
func TestFollow(t *testing.T) {
	l := newLeader()
	f := follow(t, Config{})
	want(t, "position", f.Position(), 0)
	if head := f.Head("den"); head.Offset != 0 || head.Epoch == "" {
		t.Errorf("head %v", head)
	}
	var delivered []string
	f.Deliver(func(room string, m *codec.Message) { delivered = append(delivered, room+" "+m.ID.String()) }, nil)
	for i := range 5 {
		l.put("den", codec.Message{Content: fmt.Sprint(i), Author: 7}, fmt.Sprint("k", i))
	}
	l.put("den", codec.Message{Kind: codec.Edit, Target: l.log[1].Message.ID, Content: "one"}, "")
	l.say("hall", "x")
	apply(t, f, l.log...)
	apply(t, f, l.log[3:]...)
	want(t, "delivered", strings.Join(delivered, ","), "den first-1,den first-2,den first-3,den first-4,den first-5,den first-6,hall first-1")
	for _, reopen := range []func() *Follower{
		func() *Follower { closeStore(t, f.Store()); return follow(t, Config{Path: f.cfg.Path}) },
		func() *Follower {
			to := filepath.Join(t.TempDir(), "edgechat.db")
			copyStore(t, f.cfg.Path, to)
			return follow(t, Config{Path: to})
		},
	} {
		f = reopen()
		want(t, "position", f.Position(), l.log[len(l.log)-1].Position)
		if got := read(t, f.Store(), "den", codec.Query{Limit: 6}); got != "0 one 2 3 4 one" {
			t.Errorf("messages: %q", got)
		}
		want(t, "epoch", f.Store().Stats().Epoch, "first")
		if id, ok := f.Find("den", "k3", nil); !ok || id != l.log[3].Message.ID {
			t.Errorf("key: %v %t", id, ok)
		}
		apply(t, f, l.log...)
		apply(t, f, l.say("den", "next"))
		want(t, "head", f.Head("den"), l.log[len(l.log)-1].Message.ID)
	}
	if err := f.Admits("den", &codec.Message{Kind: codec.Edit, Target: l.log[0].Message.ID}, codec.Claim{Authors: [2]uint64{8}}, ""); !errors.Is(err, codec.ErrNotAuthor) {
		t.Errorf("by another: %v", err)
	}
	got, err := f.After(l.log[4].Position)
	if err != nil || len(got) != len(l.log)-5 {
		t.Fatalf("%d behind the fifth: %v", len(got), err)
	}
	for i, x := range got {
		if y := l.log[5+i]; x.Position != y.Position || x.Message.ID != y.Message.ID || x.Message.Content != y.Message.Content || x.Key != y.Key {
			t.Errorf("%+v, want %+v", x, y)
		}
	}
}

// TestFollowDeletedTwice: of two deletions the second tells that there was nothing to delete, and an edit behind one brings nothing back.
func TestFollowDeletedTwice(t *testing.T) {
	l, f := newLeader(), follow(t, Config{})
	id := l.say("den", "secret").Message.ID
	l.put("den", codec.Message{Kind: codec.Deletion, Target: id}, "")
	apply(t, f, l.log...)
	for _, kind := range []codec.Kind{codec.Deletion, codec.Edit} {
		if err := f.Apply(l.put("den", codec.Message{Kind: kind, Target: id, Content: "back"}, ""), nil); !errors.Is(err, codec.ErrNoTarget) {
			t.Errorf("%v: %v", kind, err)
		}
	}
	p := readPage(t, f.Store(), "den", codec.Query{})
	if len(p.Messages) != 4 || !p.Messages[0].Deleted || p.Messages[3].Content != "" {
		t.Errorf("%+v", p.Messages)
	}
}

// TestRollback: what the log lost is gone, also after a crash; cursors of it lead to what came instead, and a new epoch
// gives the offsets again.
func TestRollback(t *testing.T) {
	l, f := newLeader(), follow(t, Config{})
	cuts := map[string]codec.ID{}
	f.Deliver(func(string, *codec.Message) {}, func(room string, head codec.ID) { cuts[room] = head })
	for i := range 4 {
		l.say("den", fmt.Sprint(i))
	}
	l.say("hall", "x")
	l.put("den", codec.Message{Content: "lost", Author: 7}, "k")
	l.put("den", codec.Message{Kind: codec.Edit, Target: l.log[1].Message.ID, Content: "edited"}, "")
	l.say("new", "y")
	apply(t, f, l.log...)
	lost := l.log[6].Message.ID
	l.lose(5)
	position := l.log[4].Position
	if err := f.Rollback(position, l.n); err != nil {
		t.Fatal(err)
	}
	f.Learn(2, "epoch2")
	want(t, "position", f.Position(), position)
	want(t, "messages", read(t, f.Store(), "den", codec.Query{}), "!0 2 3") // what an edit took away is a hole
	want(t, "head", f.Head("den"), codec.ID{Epoch: "epoch2", Offset: 4})
	want(t, "a room that was new", f.Head("new").Offset, 0)
	want(t, "cuts", len(cuts), 2)
	want(t, "cut", cuts["den"].Offset, 4)
	if id, ok := f.Find("den", "k", nil); ok {
		t.Errorf("the key of what was lost is that of %s", id)
	}
	want(t, "behind what was lost", read(t, f.Store(), "den", codec.Query{After: &lost}), "")
	apply(t, f, l.put("den", codec.Message{Content: "instead", Author: 7}, "k"))
	want(t, "behind what was lost", read(t, f.Store(), "den", codec.Query{After: &lost}), "instead")
	if err := f.Rollback(l.log[len(l.log)-1].Position, l.n); err != nil {
		t.Fatal(err)
	}
	want(t, "nothing behind it", read(t, f.Store(), "den", codec.Query{After: &lost}), "instead")

	to := filepath.Join(t.TempDir(), "edgechat.db")
	copyStore(t, f.cfg.Path, to)
	f = follow(t, Config{Path: to})
	want(t, "after a crash", read(t, f.Store(), "den", codec.Query{After: &lost}), "instead")
	want(t, "epoch", f.EpochOf(2), "epoch2")
}

// TestLearn: an epoch in which nothing was said is known after a crash.
func TestLearn(t *testing.T) {
	l, f := newLeader(), follow(t, Config{})
	apply(t, f, l.say("den", "x"))
	foldNow(t, f.Store())
	f.Learn(5, "fifth")
	eventually(t, "it is on disk", func() bool {
		to := filepath.Join(t.TempDir(), "edgechat.db")
		copyStore(t, f.cfg.Path, to)
		return follow(t, Config{Path: to}).EpochOf(5) == "fifth"
	})
}

// TestLeap: rooms that went on while the follower was away have a hole, and no cursor passes over it.
func TestLeap(t *testing.T) {
	l, f := newLeader(), follow(t, Config{})
	var cuts []string
	f.Deliver(func(string, *codec.Message) {}, func(room string, head codec.ID) { cuts = append(cuts, room+" "+head.String()) })
	for i := range 3 {
		l.say("den", fmt.Sprint(i))
	}
	l.say("hall", "x")
	apply(t, f, l.log...)
	seen, hall := l.log[2].Message.ID, l.log[3].Message.ID
	for i := range 5 {
		l.say("den", fmt.Sprint("missed", i))
	}
	last := l.log[len(l.log)-1]
	if err := f.Leap(last.Position, l.n, l.names[l.n], l.heads); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		want(t, "position", f.Position(), last.Position)
		want(t, "head", f.Head("den").Offset, 8)
		want(t, "behind what was seen", read(t, f.Store(), "den", codec.Query{After: &seen}), "!")
		want(t, "in a room without a gap", read(t, f.Store(), "hall", codec.Query{After: &hall}), "")
		closeStore(t, f.Store())
		f = follow(t, Config{Path: f.cfg.Path})
	}
	want(t, "cuts", strings.Join(cuts, ","), "den first-8")
	apply(t, f, l.say("den", "now"))
	want(t, "messages", read(t, f.Store(), "den", codec.Query{Limit: 1, Newest: true}), "now")
	want(t, "behind what was seen", read(t, f.Store(), "den", codec.Query{After: &seen}), "!now")
}

// TestFollowerAlone: a store that left the log begins an epoch, also if it was closed in order.
func TestFollowerAlone(t *testing.T) {
	l, f := newLeader(), follow(t, Config{})
	apply(t, f, l.say("den", "x"))
	closeStore(t, f.Store())
	s := open(t, Config{Path: f.cfg.Path})
	r := sayStored(t, s, "den", "y", "")
	if r.ID.Epoch == "first" || r.ID.Offset != 2 {
		t.Errorf("%s", r.ID)
	}
	cursor := l.log[0].Message.ID
	want(t, "behind the last of the log", read(t, s, "den", codec.Query{After: &cursor}), "y")
	if err := s.Apply(l.say("den", "z"), nil); !errors.Is(err, ErrNotFollower) {
		t.Errorf("applied: %v", err)
	}
}

// TestFollowModel follows a log that loses its end now and then, with restarts and crashes in between: what can be read is what
// the log has, and no id has two contents.
func TestFollowModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	l, path := newLeader(), filepath.Join(t.TempDir(), "edgechat.db")
	cfg := Config{History: 20}
	f := follow(t, Config{Path: path, History: cfg.History})
	contents := map[string]string{}
	for step := range 150 {
		switch x := rnd.IntN(20); {
		case x < 14:
			room := fmt.Sprint("room", rnd.IntN(3))
			p := l.say(room, fmt.Sprint("content", step))
			if was, ok := contents[room+p.Message.ID.String()]; ok {
				t.Fatalf("%s is given twice: %s", p.Message.ID, was)
			}
			contents[room+p.Message.ID.String()] = p.Message.Content
			if rnd.IntN(3) > 0 {
				missed, _ := slices.BinarySearchFunc(l.log, f.Position()+1, func(p Positioned, at uint64) int { return int(int64(p.Position - at)) })
				apply(t, f, l.log[missed:]...)
			}
		case x < 16:
			closeStore(t, f.Store())
			f = follow(t, Config{Path: path, History: cfg.History})
		case x < 18:
			to := filepath.Join(t.TempDir(), "edgechat.db")
			copyStore(t, path, to)
			path = to
			f = follow(t, Config{Path: path, History: cfg.History})
		default:
			l.lose(max(0, len(l.log)-rnd.IntN(8)))
			if n := len(l.log); n == 0 || f.Position() > l.log[n-1].Position {
				position := uint64(0)
				if n > 0 {
					position = l.log[n-1].Position
				}
				if err := f.Rollback(position, l.n); err != nil {
					t.Fatal(err)
				}
			}
			f.Learn(l.n, l.names[l.n])
		}
	}
	first, _ := slices.BinarySearchFunc(l.log, f.Position()+1, func(p Positioned, at uint64) int { return int(int64(p.Position - at)) })
	apply(t, f, l.log[first:]...)
	for room, head := range l.heads {
		want(t, "head of "+room, f.Head(room).Offset, head)
		var all []codec.Message
		for _, x := range l.log {
			if x.Room == room {
				all = append(all, x.Message)
			}
		}
		got := readPage(t, f.Store(), room, codec.Query{}).Messages
		if len(got) > len(all) || len(got) < min(len(all), cfg.History/4) {
			t.Fatalf("%s has %d messages of %d", room, len(got), len(all))
		}
		for i, m := range got {
			if w := all[len(all)-len(got)+i]; m.ID != w.ID || m.Content != w.Content {
				t.Errorf("%s: %s %q, want %s %q", room, m.ID, m.Content, w.ID, w.Content)
			}
		}
	}
}
