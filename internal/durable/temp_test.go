package durable

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// names returns what is in a folder.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// TestTemp: what nobody has open is removed by the next of its kind, and nothing else.
func TestTemp(t *testing.T) {
	dir := t.TempDir()
	stay := []string{".kept", ".scratch.", ".scratch.12.txt", ".scratch.a1", ".scratching.12", "scratch.12"}
	for _, name := range stay {
		put(t, filepath.Join(dir, name), "", 0o600)
	}
	if err := os.Symlink(filepath.Join(dir, ".kept"), filepath.Join(dir, ".scratch.77")); err != nil {
		t.Fatal(err)
	}
	stay = append(stay, ".scratch.77")
	first, err := Temp(dir, ".scratch.*")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := TempDir(dir, ".scratch.*")
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(folder.Name(), "file"), "", 0o600)
	for _, name := range []string{first.Name(), folder.Name()} {
		stay = append(stay, filepath.Base(name))
	}
	put(t, filepath.Join(dir, ".scratch.12"), "", 0o600)
	if err := Sweep(dir, ".other.*", ".scratch.*"); err != nil {
		t.Fatal(err)
	}
	slices.Sort(stay)
	if found := names(t, dir); !slices.Equal(found, stay) {
		t.Errorf("there is %q, not %q", found, stay)
	}
	_, _ = first.Close(), folder.Close()
	second, err := Temp(dir, ".scratch.*")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	for _, name := range names(t, dir) {
		if name == filepath.Base(first.Name()) || name == filepath.Base(folder.Name()) {
			t.Errorf("%s is there", name)
		}
	}
}

// TestReplaceLeft: a file of which a process left a half that was killed is replaced, and the half removed.
func TestReplaceLeft(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	var left string
	err := Replace(path, func(f *os.File) error {
		left = f.Name()
		return Replace(path, writes("the second")) // while the first is at work
	})
	if err != nil {
		t.Fatal(err)
	}
	put(t, left, "half", 0o600)
	if err := Replace(path, writes("the third")); err != nil {
		t.Fatal(err)
	}
	holds(t, path, "the third", 0o600)
	if found := names(t, dir); len(found) != 1 {
		t.Errorf("there is %q", found)
	}
}

// TestTempDirAtOnce is TestTempAtOnce of folders.
func TestTempDirAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				f, err := TempDir(dir, ".scratch.*")
				if err != nil {
					t.Error(err)
					return
				}
				if err := os.WriteFile(filepath.Join(f.Name(), "file"), nil, 0o600); err != nil {
					t.Error(err)
				}
				if err := os.RemoveAll(f.Name()); err != nil {
					t.Error(err)
				}
				_ = f.Close()
			}
		})
	}
	wg.Wait()
}

// TestTempAtOnce has many make and sweep at once: nobody loses what he has.
func TestTempAtOnce(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	end := time.Now().Add(500 * time.Millisecond)
	for range 8 {
		wg.Go(func() {
			for time.Now().Before(end) {
				f, err := Temp(dir, ".scratch.*")
				if err != nil {
					t.Error(err)
					return
				}
				if err := Sweep(dir, ".scratch.*"); err != nil {
					t.Error(err)
				}
				if err := os.Rename(f.Name(), strings.Replace(f.Name(), ".scratch", "done", 1)); err != nil {
					t.Error(err)
				}
				_ = f.Close()
			}
		})
	}
	wg.Wait()
	for _, name := range names(t, dir) {
		if !strings.HasPrefix(name, "done.") {
			t.Errorf("%s was left", name)
		}
	}
}
