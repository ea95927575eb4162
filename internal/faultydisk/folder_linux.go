package faultydisk

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Folder makes a folder for what a test mounts, cards and binds of them, that is gone when the test ends. A mount
// namespace that somebody makes meanwhile has a copy of every mount, which keeps a device in use until that namespace
// ends; what is unmounted in here is unmounted there too, if it is a slave of this one (unshare --propagation slave).
// It skips the test where this process may not mount.
func Folder(t testing.TB) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount")
	}
	shared := t.TempDir()
	switch err := syscall.Mount(shared, shared, "", syscall.MS_BIND, ""); {
	case err == syscall.EPERM: // root of a container
		t.Skipf("bind %s: %v", shared, err)
	case err != nil:
		t.Fatalf("bind %s: %v", shared, err)
	}
	t.Cleanup(func() {
		if err := unmount(shared); err != nil {
			t.Errorf("unmount %s: %v", shared, err)
		}
	})
	if err := syscall.Mount("", shared, "", syscall.MS_SHARED, ""); err != nil {
		t.Fatalf("share %s: %v", shared, err)
	}
	folder := filepath.Join(shared, "mounts") // on which may be mounted and unmounted
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	return folder
}

// Mount mounts a file system of this kind on a Folder, and unmounts it when the test ends. It skips the test where that may not be.
func Mount(t testing.TB, fs, options string) string {
	t.Helper()
	dir := Folder(t)
	if err := syscall.Mount(fs, dir, fs, 0, options); err != nil {
		t.Skipf("mount -t %s: %v", fs, err)
	}
	t.Cleanup(func() {
		err := syscall.Unmount(dir, 0) // and not later, since a card may be below
		// A child that somebody starts has what this process had open, until it is its program.
		for end := time.Now().Add(time.Minute); err == syscall.EBUSY && time.Now().Before(end); err = syscall.Unmount(dir, 0) {
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
	})
	return dir
}

// users names the processes that keep the device in use.
func (c *Card) users() string {
	var users []string
	lists, _ := filepath.Glob("/proc/[0-9]*/mountinfo")
	for _, list := range lists {
		pid := filepath.Base(filepath.Dir(list))
		if mounts, err := os.ReadFile(list); err == nil && bytes.Contains(mounts, []byte(" /dev/"+c.loop+" ")) {
			users = append(users, "process "+pid+", in whose mount namespace it is mounted")
			continue
		}
		files, _ := filepath.Glob("/proc/" + pid + "/fd/*")
		for _, file := range files {
			if path, err := os.Readlink(file); err == nil && strings.HasPrefix(path, c.Dir+"/") {
				users = append(users, "process "+pid+", which has "+path+" open")
			}
		}
	}
	if users == nil {
		return "nobody that can be seen"
	}
	return strings.Join(users, "; ")
}
