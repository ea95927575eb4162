package faultydisk

import (
	"bytes"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Card is a file system of its own (ext4 with a journal, noatime, blocks of 4 KiB) on
// such a device. Its methods may be called from any goroutine; an error ends the test.
type Card struct {
	Dir string // where it is mounted

	t      testing.TB
	loop   string // "loop3"
	client *rpc.Client
}

// New makes a card of so many bytes with sectors of 512, which is gone when the test ends. It skips
// the test, naming the reason, where that cannot be.
func New(t testing.TB, size int64) *Card {
	t.Helper()
	return NewSectors(t, size, Sector)
}

// NewSectors is New for a device that takes no write smaller than sector, a power of two from 512 to 4096.
func NewSectors(t testing.TB, size int64, sector int) *Card {
	t.Helper()
	if why := Missing(); why != "" {
		t.Skip(why)
	}
	folder := Folder(t)
	c := &Card{t: t, Dir: filepath.Join(folder, "card")}
	for _, dir := range []string{c.Dir, filepath.Join(folder, "fuse")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ours, theirs, err := socketpair()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", folder, strconv.FormatInt(size, 10), strconv.Itoa(sector))
	cmd.Args[0] = processName
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0")
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that Ctrl-C is not for it
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		_ = ours.Close()
		t.Fatal(err)
	}
	c.client = rpc.NewClient(ours)
	t.Cleanup(func() {
		c.end(cmd)
		_ = unmount(filepath.Join(folder, "fuse")) // which the device has left if it was killed
		if stderr.Len() > 0 {
			t.Errorf("the device: %s", &stderr)
		}
	})
	c.call("Make", 0, &c.loop)
	c.loop = filepath.Base(c.loop)
	return c
}

// Missing says what this machine lacks for a card, or "".
func Missing() string {
	if os.Geteuid() != 0 {
		return "only root may mount a file system"
	}
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		return fmt.Sprintf("no FUSE: %v", err)
	}
	_ = f.Close()
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return fmt.Sprintf("no loop devices: %v", err)
	}
	for _, program := range []string{"mkfs.ext4", "losetup", "mount"} {
		if _, err := find(program); err != nil {
			return err.Error()
		}
	}
	return ""
}

// socketpair returns the ends of a socket, the second to be given to another process.
func socketpair() (net.Conn, *os.File, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "socket"), os.NewFile(uintptr(fds[1]), "socket")
	conn, err := net.FileConn(ours)
	_ = ours.Close()
	if err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	return conn, theirs, nil
}

// end takes the card away. If that hangs the device is killed: its FUSE connection ends
// with it, and all that waits for it fails.
func (c *Card) end(cmd *exec.Cmd) {
	timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	if err := c.client.Call("Device.TakeAway", 0, new(nothing)); err == nil {
		c.waitUntilGone()
	}
	_ = c.client.Close()
	if err := cmd.Wait(); err != nil {
		c.t.Errorf("the device: %v", err)
	}
}

// waitUntilGone fails the test if the device is still in use: somebody has left a file of it open, or has a mount
// namespace that is no slave (unshare --propagation slave).
func (c *Card) waitUntilGone() {
	if c.loop == "" {
		return
	}
	backing := "/sys/block/" + c.loop + "/loop/backing_file"
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		path, err := os.ReadFile(backing)
		if err != nil || !strings.HasPrefix(string(path), filepath.Dir(c.Dir)+"/") && string(path) != "/"+imageName+"\n" {
			return
		}
		if time.Now().After(end) {
			c.t.Errorf("%s is still in use by %s", c.loop, c.users())
			return
		}
	}
}

func (c *Card) call(method string, args, reply any) {
	c.t.Helper()
	if err := c.client.Call("Device."+method, args, reply); err != nil {
		c.t.Fatalf("the device: %s: %v", strings.ToLower(method), err)
	}
}

// Set has f happen to operations of this kind from now on, in place of what Set said before.
func (c *Card) Set(op Op, f Fault) {
	c.t.Helper()
	c.call("Set", Setting{op, f}, new(nothing))
}

// SetAll is Set for all kinds.
func (c *Card) SetAll(f Fault) {
	c.t.Helper()
	for op := Read; op <= Flush; op++ {
		c.Set(op, f)
	}
}

// Mend has everything succeed again, and lets go what hangs.
func (c *Card) Mend() { c.t.Helper(); c.SetAll(Fault{}) }

// Stats returns what the device did.
func (c *Card) Stats() (s Stats) {
	c.t.Helper()
	c.call("Stats", 0, &s)
	return s
}

// Remount unmounts the card and mounts it again, with nothing wrong, as after a power cycle: ext4 writes no more
// once its journal could not be written. Nobody may have a file of it open.
func (c *Card) Remount() {
	c.t.Helper()
	c.call("TakeAway", 0, new(nothing))
	c.waitUntilGone()
	c.call("Mount", 0, &c.loop)
	c.loop = filepath.Base(c.loop)
}

// AwaitHanging waits until somebody is stuck at the device.
func (c *Card) AwaitHanging() {
	c.t.Helper()
	for end := time.Now().Add(20 * time.Second); c.Stats().Hanging == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatal("nothing hangs at the device")
		}
	}
}

// Settle has everything written that the file system still holds back.
func (c *Card) Settle() {
	c.t.Helper()
	if err := run("sync", "-f", c.Dir); err != nil {
		c.t.Fatal(err)
	}
}

// Record forgets what was recorded, and records from now on.
func (c *Card) Record() { c.t.Helper(); c.call("Record", 0, new(nothing)) }

// Mark puts a mark into the record: this was seen now. All that the device did before
// is before it.
func (c *Card) Mark(text string) { c.t.Helper(); c.call("Mark", text, new(nothing)) }

// Recorded ends the record and returns it.
func (c *Card) Recorded() *Record {
	c.t.Helper()
	r := new(Record)
	c.call("Recorded", 0, r)
	return r
}
