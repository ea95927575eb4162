package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/codec"
)

// TestBackup makes backups of a store that is at work, restores each, and looks for all that was acknowledged before
// it was made. Ids that were given since are not given again.
func TestBackup(t *testing.T) {
	s := open(t, Config{History: 100, AckDelay: time.Nanosecond})
	for i := range 250 {
		say(t, s, fmt.Sprint("room", i%5), fmt.Sprint(i))
		if i == 150 {
			sayFolded(t, s, "hall", "old", "key")
		}
	}
	last := sayStored(t, s, "den", "last", "k").ID
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { // somebody talks meanwhile
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				say(t, s, "busy", fmt.Sprint(i))
				if i%100 == 0 {
					s.requestFold()
				}
			}
		}
	})
	var b bytes.Buffer
	if err := s.Backup(&b); err != nil {
		t.Fatal(err)
	}
	close(stop)
	wg.Wait()
	since := sayStored(t, s, "den", "since", "").ID

	backup := filepath.Join(t.TempDir(), "backup")
	if err := os.WriteFile(backup, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Check(backup)
	if err != nil || report.Kind != "backup" || len(report.Problems) > 0 || report.Messages < 252 || report.Rooms < 7 {
		t.Errorf("check: %+v, %v", report, err)
	}
	if _, err := Open(Config{Path: backup}); !errors.Is(err, ErrBackup) || !strings.Contains(err.Error(), "edgechat restore") {
		t.Errorf("open a backup: %v", err)
	}
	if _, _, err := Restore(backup, s.cfg.Path); !errors.Is(err, ErrLocked) {
		t.Errorf("restore over a store that is open: %v", err)
	}
	restored := func(from string) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "edgechat.db")
		for range 2 { // the second time over the first
			if _, _, err := Restore(from, path); err != nil {
				t.Fatal(err)
			}
		}
		if aside, _ := filepath.Glob(path + ".replaced-*"); len(aside) != 1 {
			t.Errorf("kept aside: %v", aside)
		}
		r := open(t, Config{Path: path, History: 100})
		for i := range 5 {
			room := fmt.Sprint("room", i)
			want(t, room, read(t, r, room, codec.Query{}), read(t, s, room, codec.Query{}))
		}
		want(t, "hall", read(t, r, "hall", codec.Query{}), "old")
		want(t, "a key", sayStored(t, r, "hall", "again", "key").ID.Offset, 1)
		want(t, "den", strings.HasPrefix(read(t, r, "den", codec.Query{}), "last"), true)
		for i := range 3 {
			if id := say(t, r, "den", fmt.Sprint("new", i)); id == since || id.Epoch == since.Epoch {
				t.Fatalf("%s is of an epoch that goes on elsewhere", id)
			}
		}
		want(t, "after a cursor of then", strings.HasSuffix(read(t, r, "den", codec.Query{After: &last}), "new0 new1 new2"), true)
		want(t, "recovered", readPage(t, r, "den", codec.Query{After: &last}).Recovered, true)
		closeStore(t, r)
	}
	restored(backup)
	if r := readPage(t, s, "den", codec.Query{After: &last}); !r.Recovered {
		t.Error("the store itself is not what it was")
	}

	// Of the files of a store that was closed.
	closeStore(t, s)
	if report, err := Check(s.cfg.Path); err != nil || !report.Clean || len(report.Problems) > 0 || report.Kind != "store" {
		t.Errorf("check of a store: %+v, %v", report, err)
	}
	s = open(t, s.cfg)
	closeStore(t, s)
	copied := filepath.Join(t.TempDir(), "copy.db")
	copyStore(t, s.cfg.Path, copied)
	s = open(t, s.cfg)
	since = sayStored(t, s, "den", "later", "").ID
	restored(copied)
}

// TestBackupDamage changes each byte of a backup, and cuts it anywhere: it is noticed, and nothing is restored.
func TestBackupDamage(t *testing.T) {
	s := open(t, Config{})
	sayAll(t, s, "den", 3)
	var b bytes.Buffer
	if err := s.Backup(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "backup")
	target := filepath.Join(t.TempDir(), "edgechat.db")
	try := func(what string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if report, err := Check(path); err == nil && len(report.Problems) == 0 {
			t.Errorf("%s: passes for whole", what)
		}
		if _, _, err := Restore(path, target); err == nil {
			t.Errorf("%s: was restored", what)
		}
		if _, err := os.Stat(target); err == nil {
			t.Fatalf("%s: left something behind", what)
		}
	}
	for i := len(backupMagic); i < b.Len(); i++ {
		changed := bytes.Clone(b.Bytes())
		changed[i] ^= 0x10
		try(fmt.Sprint("byte ", i), changed)
	}
	for n := len(backupMagic); n < b.Len(); n += 3 {
		try(fmt.Sprint("cut to ", n), b.Bytes()[:n])
	}
	try("more", append(bytes.Clone(b.Bytes()), 0))
	if _, err := Check(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("check of a file that is not there")
	}
}

// TestCheck finds damage of a store, and changes nothing.
func TestCheck(t *testing.T) {
	v := newVictim(t)
	path := filepath.Join(t.TempDir(), "edgechat.db")
	if err := os.WriteFile(logPath(path), v.log, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(b []byte) []byte{
		"nothing":  func(b []byte) []byte { return b },
		"no metas": func(b []byte) []byte { clear(b[:2*pageSize]); return b },
		"cut":      func(b []byte) []byte { return b[:8*pageSize] },
		"a message": func(b []byte) []byte {
			return bytes.ReplaceAll(b, []byte(content(damageEach+50)), []byte(strings.ToUpper(content(damageEach+50))))
		},
	} {
		b := change(bytes.Clone(v.file))
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		report, err := Check(path)
		if err != nil || (len(report.Problems) == 0) != (what == "nothing") {
			t.Errorf("%s: %+v, %v", what, report, err)
		}
		after, _ := os.ReadFile(path)
		if !bytes.Equal(b, after) {
			t.Errorf("%s: the file was changed", what)
		}
	}
}
