package moderation

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// TestAlikeRules: what looks alike has one rule. A file of before, which told names apart by their bytes, may have more of
// them, and a room in another form: all of them hold, the longest for as long as it says, and are ended as one.
func TestAlikeRules(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules")
	b, err := encode([]Rule{
		{Kind: KindBan, Name: "Mallory", By: "Ann"},
		Rule{Kind: KindBan, Name: "mallory", By: "Ann"}.lasting(time.Minute),
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

// TestOldForms: of rules of a file of before names had one form, those about two rooms that are one now hold as long as the longer says, and those
// whose room or name can be nobody's are left out, and told.
func TestOldForms(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rules")
	const composed, apart = "K\u00fcche", "Ku\u0308che"
	b, err := encode([]Rule{
		{Kind: KindClosed, Room: apart, By: "Ann"},
		Rule{Kind: KindClosed, Room: composed, By: "Ann"}.lasting(time.Minute),
		Rule{Kind: KindReadOnly, Room: apart, By: "Ann"}.lasting(time.Minute),
		Rule{Kind: KindReadOnly, Room: composed, By: "Ann"}.lasting(time.Hour),
		{Kind: KindReadOnly, Room: "a\u200b", By: "Ann"},
		{Kind: KindBan, Name: "Bob\u200d", By: "Ann"},
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	said := new(edgetest.Log)
	open := func() *Rules {
		t.Helper()
		r, err := Open(Config{Path: path, Logger: slog.New(slog.NewTextHandler(said, nil))})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open()
	if no := r.Enter(composed, Who{Name: "Zoe"}); no == nil || no.Wait != 0 {
		t.Errorf("%+v, and the room is closed for ever", no)
	}
	if no := r.Write(composed, Who{Name: "Zoe"}); no == nil || no.Wait < time.Hour/2 {
		t.Errorf("%+v, and the room is read-only for an hour", no)
	}
	if no := r.Enter("den", Who{Name: "Bob"}); no != nil {
		t.Errorf("Bob is not who was banned: %+v", no)
	}
	for _, rule := range r.List("") {
		if rule.Room != composed {
			t.Errorf("%+v", rule)
		}
	}
	if err := r.Warning(); err != nil {
		t.Error(err)
	}
	told := said.String()
	if strings.Count(told, "about nobody") != 2 || !said.Has("rule=read-only") || !said.Has("U+200B") || !said.Has("rule=ban") || !said.Has("U+200D") {
		t.Error(told)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	if r = open(); len(r.List("")) != 4 || said.String() != told {
		t.Errorf("after another start: %+v\n%s", r.List(""), said)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}
