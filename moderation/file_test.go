package moderation

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edgechat/refusal"
)

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
	if err := os.WriteFile(cfg.Path, []byte("edgechat rules 3\n"), 0o600); err != nil {
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
