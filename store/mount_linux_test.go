package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/codec"
)

// tmpfs mounts a file system of so many bytes, which takes the right to.
func tmpfs(t *testing.T, bytes int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", bytes)); err != nil {
		t.Skipf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill leaves so many bytes free.
func fill(t *testing.T, dir string, free int) (file string) {
	t.Helper()
	file = filepath.Join(dir, "filler")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	if n := int(st.Bavail)*int(st.Bsize) - free; n > 0 {
		if _, err := f.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	return file
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := tmpfs(t, 8<<20)
	cfg := Config{
		Path: filepath.Join(dir, "edgechat.db"), History: 10_000, RetryDelay: 10 * time.Millisecond,
		AckDelay: time.Nanosecond, CommitBytes: 64 << 10,
	}
	s := open(t, cfg)
	filler := fill(t, dir, 256<<10)
	said := 0
	for ; said < 2000 && s.Ready() == nil; said++ {
		sayStored(t, s, "den", fmt.Sprint(said, strings.Repeat("x", 1000)), "")
	}
	if err := s.Ready(); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("ready after %d messages: %v", said, err)
	}
	for ; said < 2500; said++ {
		want(t, "durable", sayStored(t, s, "den", fmt.Sprint(said, strings.Repeat("x", 1000)), "").Durable, false)
	}
	check := func(s *Store) {
		t.Helper()
		p := readPage(t, s, "den", codec.Query{})
		want(t, "messages", len(p.Messages), said)
		for i, m := range p.Messages {
			if !strings.HasPrefix(m.Content, fmt.Sprint(i, "x")) {
				t.Fatalf("message %d: %.10q", i, m.Content)
			}
		}
	}
	check(s)
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it recovers", func() bool { return s.Ready() == nil && s.Stats().Pending == 0 })
	check(s)
	want(t, "lost", s.Stats().Lost, 0)
	closeStore(t, s)
	s = open(t, cfg)
	check(s)
	closeStore(t, s)
}

// TestStartFull makes a new store where there is no space.
func TestStartFull(t *testing.T) {
	t.Parallel()
	dir := tmpfs(t, 4<<20)
	cfg := Config{Path: filepath.Join(dir, "edgechat.db"), RetryDelay: 10 * time.Millisecond}
	filler := fill(t, dir, 2*pageSize) // bbolt begins with four pages
	s := open(t, cfg)
	if err := s.Ready(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("ready: %v", err)
	}
	r := sayStored(t, s, "den", "new", "")
	want(t, "durable", r.Durable, false)
	want(t, "messages", read(t, s, "den", codec.Query{}), "new")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it recovers", func() bool { return s.Ready() == nil && s.Stats().Pending == 0 })
	closeStore(t, s)
	s = open(t, cfg)
	want(t, "epoch", s.Stats().Epoch, r.ID.Epoch)
	want(t, "messages", read(t, s, "den", codec.Query{}), "new")
	closeStore(t, s)
	if aside, _ := filepath.Glob(cfg.Path + ".*"); len(aside) > 0 {
		t.Errorf("put aside: %v", aside)
	}
}

// TestReadOnly opens a store on a file system that takes no writes, as one does whose
// card fails.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	dir := tmpfs(t, 4<<20)
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	cfg := Config{Path: filepath.Join(dir, "edgechat.db"), RetryDelay: 10 * time.Millisecond}
	remount(syscall.MS_RDONLY)
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), "name a folder on a file system that takes writes") {
		t.Errorf("open a new store: %v", err)
	}
	remount(0)
	s := open(t, cfg)
	old := sayStored(t, s, "den", "old", "").ID
	closeStore(t, s)
	remount(syscall.MS_RDONLY)
	s = open(t, cfg)
	if err := s.Ready(); !errors.Is(err, syscall.EROFS) {
		t.Errorf("ready: %v", err)
	}
	r := sayStored(t, s, "den", "new", "")
	want(t, "durable", r.Durable, false)
	want(t, "messages", read(t, s, "den", codec.Query{}), "old new")
	time.Sleep(50 * time.Millisecond) // some attempts
	want(t, "messages", read(t, s, "den", codec.Query{}), "old new")
	remount(0)
	eventually(t, "it recovers", func() bool { return s.Ready() == nil && s.Stats().Pending == 0 })
	want(t, "after the last run", read(t, s, "den", codec.Query{After: &old}), "new")
	closeStore(t, s)
	s = open(t, cfg)
	want(t, "messages", read(t, s, "den", codec.Query{}), "old new")
	closeStore(t, s)
}
