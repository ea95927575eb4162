package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func put(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func holds(t *testing.T, path, content string, mode fs.FileMode) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != content {
		t.Errorf("%s: %q, %v, want %q", path, b, err, content)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode() != mode {
		t.Errorf("%s: %v, want %v", path, info.Mode(), mode)
	}
}

func writes(content string) func(f *os.File) error {
	return func(f *os.File) error { _, err := f.WriteString(content); return err }
}

func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := Replace(path, writes("first")); err != nil {
		t.Fatal(err)
	}
	holds(t, path, "first", 0o600)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	old, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := Replace(path, writes("second")); err != nil {
		t.Fatal(err)
	}
	holds(t, path, "second", 0o640)
	b := make([]byte, 10)
	if n, _ := old.Read(b); string(b[:n]) != "first" {
		t.Errorf("whoever has it open reads %q", b[:n])
	}

	// Nothing is left behind of what failed.
	failed := errors.New("failed")
	if err := Replace(path, func(f *os.File) error { _, _ = f.WriteString("half"); return failed }); !errors.Is(err, failed) {
		t.Errorf("a write that fails: %v", err)
	}
	holds(t, path, "second", 0o640)
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
	if err := Replace(filepath.Join(dir, "missing", "file"), writes("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestReplaceLink(t *testing.T) {
	dir := t.TempDir()
	other := t.TempDir()
	target := filepath.Join(other, "target")
	link := filepath.Join(dir, "link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"of a link to nothing", "again"} {
		if err := Replace(link, writes(content)); err != nil {
			t.Fatal(err)
		}
		holds(t, target, content, 0o600)
		if got, err := os.Readlink(link); err != nil || got != target {
			t.Errorf("the link: %q, %v", got, err)
		}
	}
	// By a relative link, and one by another.
	if err := os.Symlink("link", filepath.Join(dir, "second")); err != nil {
		t.Fatal(err)
	}
	if got, err := Resolve(filepath.Join(dir, "second")); err != nil || !strings.HasSuffix(got, target) {
		t.Errorf("resolved to %q, %v", got, err)
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink("loop", loop); err != nil {
		t.Fatal(err)
	}
	if err := Replace(loop, writes("x")); err == nil {
		t.Error("a link to itself was replaced")
	}
}

func TestRename(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	put(t, from, "new", 0o600)
	put(t, to, "old", 0o600)
	if err := Rename(from, to); err != nil {
		t.Fatal(err)
	}
	holds(t, to, "new", 0o600)
	if err := SyncDir(filepath.Join(dir, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is not there: %v", err)
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	put(t, path, "", 0o600)
	openIt := func() *os.File {
		t.Helper()
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	first, second, third := openIt(), openIt(), openIt()
	if err := Lock(first, false, 0); errors.Is(err, ErrNoLocks) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	if err := Lock(first, false, 0); err != nil {
		t.Errorf("again, through the same file: %v", err)
	}
	if by := LockedBy(second); runtime.GOOS == "linux" && !strings.HasPrefix(by, fmt.Sprintf("process %d ", os.Getpid())) {
		t.Errorf("locked by %q", by)
	}
	for _, shared := range []bool{false, true} {
		began := time.Now()
		if err := Lock(second, shared, 50*time.Millisecond); !errors.Is(err, ErrLocked) {
			t.Errorf("shared %t, locked by another: %v", shared, err)
		}
		if took := time.Since(began); took < 50*time.Millisecond {
			t.Errorf("waited %s", took)
		}
	}
	got := make(chan error)
	go func() { got <- Lock(second, true, time.Minute) }()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Errorf("once it is free: %v", err)
	}
	if err := Lock(third, true, 0); err != nil {
		t.Errorf("shared by two: %v", err)
	}
	if err := Lock(third, false, 0); !errors.Is(err, ErrLocked) {
		t.Errorf("for one alone: %v", err)
	}
}
