package moderation

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestAlikeRules: what looks alike has one rule. A file of before, which told names apart by their bytes, may have more of
// them, and a room in another form: all of them hold, the longest for as long as it says, and are ended as one.
func TestAlikeRules(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules")
	b, err := encode([]Rule{
		{Kind: KindBan, Name: "Mallory", By: "Ann"},
		{Kind: KindBan, Name: "mallory", By: "Ann", Left: 60_000},
		{Kind: KindBan, Name: "Bob", By: "Ann", Room: "Ku\u0308che"},
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}()
	if no := r.Enter("den", Who{Name: "MALLORY"}); no == nil || no.Wait != 0 {
		t.Errorf("%+v, and one of the bans is for ever", no)
	}
	if no := r.Enter("K\u00fcche", Who{Name: "bob"}); no == nil {
		t.Error("the rule of a room in another form does not hold")
	}
	do := func(act Act) {
		t.Helper()
		o, err := Parse(act)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Do("Ann", o, nil); err != nil {
			t.Error(err)
		}
	}
	do(Act{Act: ActUnban, Name: "Mallory"})
	if n := len(r.List("")); n != 1 {
		t.Errorf("%d rules are left, of other names there is 1", n)
	}
	do(Act{Act: ActBan, Name: "Mallory"})
	do(Act{Act: ActBan, Name: "M\u0430llory", For: "1h"}) // with a Cyrillic a
	if list := r.List(""); len(list) != 2 || list[1].Left == 0 {
		t.Errorf("%+v", list)
	}
	do(Act{Act: ActBan, Identity: "Mallory"})
	if no := r.Enter("den", Who{Name: "x", Identity: "mallory"}); no != nil {
		t.Errorf("%+v, and the token is another", no)
	}
}
