package edgetest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Card is a file system of its own (ext4 with a journal, noatime) on a block
// device of its own (a loop device), as a card in a board is: what reaches it can be
// counted, and it can be made to stand still.
type Card struct {
	Dir    string // where it is mounted
	t      testing.TB
	device string // "loop3"
	frozen bool
}

// NewCard makes a card of so many bytes, which is gone when the test ends. It skips the
// test, naming the reason, for who may not mount or lacks losetup(8), mount(8) or mkfs.ext4(8).
func NewCard(t testing.TB, bytes int64) *Card {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may mount a file system")
	}
	folder := t.TempDir()
	image, dir := filepath.Join(folder, "card.img"), filepath.Join(folder, "card")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(image)
	if err == nil {
		err = f.Truncate(bytes)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	// What mkfs leaves to the kernel for later would be written during the test.
	need(t, "mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)

	// A shell that waits for the end of its input takes all away, so that nothing
	// stays mounted, or frozen, even if the test's process is killed. The loop device goes
	// with the last use of the file system: mount(8) asks for that.
	c := &Card{Dir: dir, t: t}
	cleaner := exec.Command("sh", "-c", `read -r _; PATH=$PATH:/usr/sbin; fsfreeze -u "$1" 2>/dev/null; umount -l "$1" 2>/dev/null; true`, "sh", dir)
	cleaner.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that Ctrl-C is not for it
	input, err := cleaner.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cleaner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		if err := cleaner.Wait(); err != nil {
			t.Errorf("unmount %s: %v", dir, err)
		}
		c.waitUntilGone()
	})
	need(t, "mount", "-o", "loop,noatime", image, dir)
	c.device = c.find()
	return c
}

// need runs a program, and skips the test if that cannot be done here.
func need(t testing.TB, name string, args ...string) {
	t.Helper()
	if err := run(name, args...); err != nil {
		t.Skip(err)
	}
}

func run(name string, args ...string) error {
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name) // which is not on everybody's PATH
	}
	if err != nil {
		return fmt.Errorf("%s is not installed", name)
	}
	if out, err := exec.Command(path, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

// find returns the name of the device that is mounted.
func (c *Card) find() string {
	c.t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		c.t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); f[1] == c.Dir {
			return filepath.Base(f[0])
		}
	}
	c.t.Fatalf("%s is not among the mounts:\n%s", c.Dir, mounts)
	return ""
}

// waitUntilGone fails the test if the device is still in use: somebody has
// left a file of it open.
func (c *Card) waitUntilGone() {
	backing := "/sys/block/" + c.device + "/loop/backing_file"
	for end := time.Now().Add(5 * time.Second); c.device != ""; time.Sleep(10 * time.Millisecond) {
		path, err := os.ReadFile(backing)
		if err != nil || !strings.HasPrefix(string(path), filepath.Dir(c.Dir)+"/") {
			return
		}
		if time.Now().After(end) {
			c.t.Errorf("%s is still in use", c.device)
			return
		}
	}
}

// Written is what a block device was given since it was made.
type Written struct {
	Bytes   int64
	Writes  int64 // requests
	Flushes int64 // of its cache; kernels before 5.5 do not tell
}

// Sub returns what w is more than before.
func (w Written) Sub(before Written) Written {
	return Written{w.Bytes - before.Bytes, w.Writes - before.Writes, w.Flushes - before.Flushes}
}

// Written returns what has reached the device so far. Fields and unit are those of the
// kernel's Documentation/block/stat.rst: sectors of 512 bytes whatever the device.
func (c *Card) Written() Written {
	c.t.Helper()
	b, err := os.ReadFile("/sys/block/" + c.device + "/stat")
	if err != nil {
		c.t.Fatal(err)
	}
	var n [17]int64
	for i, field := range strings.Fields(string(b)) {
		if i < len(n) {
			if n[i], err = strconv.ParseInt(field, 10, 64); err != nil {
				c.t.Fatalf("stat of %s: %v", c.device, err)
			}
		}
	}
	return Written{Bytes: n[6] * 512, Writes: n[4], Flushes: n[15]}
}

// Settle has everything written that the file system still holds back.
func (c *Card) Settle() {
	c.t.Helper()
	if err := run("sync", "-f", c.Dir); err != nil {
		c.t.Fatal(err)
	}
}

// Freeze holds every write and sync from now on, whose callers wait in the kernel.
func (c *Card) Freeze() {
	c.t.Helper()
	c.freeze("freeze", 0xc0045877, true) // FIFREEZE of linux/fs.h
	c.t.Cleanup(c.Thaw)                  // before the clean-ups that are there already, which may wait for a write
}

// Thaw lets go what Freeze held.
func (c *Card) Thaw() {
	c.t.Helper()
	c.freeze("thaw", 0xc0045878, false) // FITHAW
}

func (c *Card) freeze(verb string, request uintptr, frozen bool) {
	c.t.Helper()
	if c.frozen == frozen {
		return
	}
	dir, err := os.Open(c.Dir)
	if err != nil {
		c.t.Fatal(err)
	}
	defer dir.Close()
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, dir.Fd(), request, 0); errno != 0 {
		c.t.Fatalf("%s %s: %v", verb, c.Dir, errno)
	}
	c.frozen = frozen
}
