package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/internal/durable"
	"edgechat/store"
)

// aBackup returns the bytes of one, with a message.
func aBackup(t *testing.T) []byte {
	t.Helper()
	s, err := store.Open(store.Config{Path: filepath.Join(t.TempDir(), "edgechat.db")})
	if err != nil {
		t.Fatal(err)
	}
	s.Deliver(func(string, *codec.Message) {}, nil)
	if err := s.Append("den", codec.Message{Username: "a", Content: "x"}, "", codec.Done{}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.Backup(&b); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestRotate: the oldest go once the new one was checked, and nothing that is no backup of ours.
func TestRotate(t *testing.T) {
	whole := aBackup(t)
	now := time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)
	strangers := []string{"edgechat-20260101T000000Z.backup.txt", "edgechat.db", "my-edgechat-20260101T000000Z.backup", ".edgechat-20260101T000000Z.backup.77", ".edgechat-20260101T000000Z.backup.edgechat-77"}
	const left = ".edgechat-20250101T000000Z.backup.edgechat-12" // by one that was killed
	at := func(day int) string { return now.AddDate(0, 0, day).Format("edgechat-" + backupTime + ".backup") }
	for _, c := range []struct {
		name  string
		old   []int // days from now on, in the folder before
		fresh int
		bytes []byte
		left  []int
		err   string
	}{
		{"few", []int{-1, -2}, 0, whole, []int{-2, -1, 0}, ""},
		{"one too many", []int{-1, -2, -3}, 0, whole, []int{-2, -1, 0}, ""},
		{"many", []int{-9, -5, -4, -3, -2, -1}, 0, whole, []int{-2, -1, 0}, ""},
		{"the clock went back", []int{1, 2, 3}, -20_000, whole, []int{-20_000, 2, 3}, ""},
		{"cut off", []int{-1, -2, -3}, 0, whole[:len(whole)-1], []int{-3, -2, -1, 0}, "not whole, so no other was removed"},
		{"damaged", []int{-1, -2, -3}, 0, append(bytes.Repeat([]byte{0}, 1), whole[1:]...), []int{-3, -2, -1, 0}, "before any other is removed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			put := func(name string, b []byte) {
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range strangers {
				put(name, nil)
			}
			put(left, nil)
			used, err := os.Open(filepath.Join(dir, strangers[4]))
			if err != nil {
				t.Fatal(err)
			}
			defer used.Close()
			if err := durable.Lock(used, false, 0); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(filepath.Join(dir, "edgechat-20250101T000000Z.backup"), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, day := range c.old {
				put(at(day), whole)
			}
			fresh, err := newBackup(dir, now.AddDate(0, 0, c.fresh))
			if err != nil {
				t.Fatal(err)
			}
			put(filepath.Base(fresh), c.bytes)
			_, err = rotate(fresh, 3)
			if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
				t.Errorf("%v, not %q", err, c.err)
			}
			want := append([]string{"edgechat-20250101T000000Z.backup"}, strangers...)
			if c.err != "" {
				want = append(want, left)
			}
			for _, day := range c.left {
				want = append(want, at(day))
			}
			var have []string
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range entries {
				have = append(have, e.Name())
			}
			slices.Sort(want)
			if !slices.Equal(have, want) {
				t.Errorf("there is\n%q\nnot\n%q", have, want)
			}
		})
	}
}

// TestBackupNames: rotate removes files of these names alone.
func TestBackupNames(t *testing.T) {
	for name, want := range map[string][2]bool{
		"edgechat-20260102T030405Z.backup":                 {true, false},
		".edgechat-20260102T030405Z.backup.edgechat-1234":  {false, true},
		".edgechat-20260102T030405Z.backup.edgechat-":      {},
		".edgechat-20260102T030405Z.backup.edgechat-1a":    {},
		"edgechat-20260102T030405Z.backup.edgechat-1":      {},
		"edgechat-20260102T030405.5Z.backup":               {},
		"edgechat-20261302T030405Z.backup":                 {},
		"edgechat-2026-01-02T030405Z.backup":               {},
		"edgechat-20260102T030405Z.backup~":                {},
		"my-edgechat-20260102T030405Z.backup":              {},
		"edgechat-before-the-update.backup":                {},
		"..edgechat-20260102T030405Z.backup.edgechat-1234": {},
		"": {}, ".": {}, ".1": {},
	} {
		if got := [2]bool{isBackupName(name), isBackupRest(name)}; got != want {
			t.Errorf("%q: %v, and not %v", name, got, want)
		}
	}
}
