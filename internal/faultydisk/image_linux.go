package faultydisk

import (
	"os"
	"testing"
)

// Mounted mounts an image of Replay.Cut, as after a power cut, and calls fn with where. It must leave no file open.
// The image is a file in memory: what is tested happens before, and flushes of a real disk would take long.
func (r *Record) Mounted(t testing.TB, image map[int64][]byte, fn func(dir string)) {
	t.Helper()
	f, err := os.CreateTemp("/dev/shm", "card-*.img")
	if err != nil {
		t.Fatal(err)
	}
	name, dir := f.Name(), t.TempDir()
	defer os.Remove(name)
	err = f.Truncate(r.Size)
	for at, b := range image {
		if err == nil {
			_, err = f.WriteAt(b, at)
		}
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = run("mount", "-o", "loop,noatime", name, dir)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unmount(dir); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	}()
	fn(dir)
}
