package faultydisk

import (
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// processName is how the test binary is called when it is to be a device.
const processName = "faultydisk"

// init runs the device in place of the tests where New has started this binary for that.
func init() {
	if os.Args[0] != processName || len(os.Args) != 4 {
		return
	}
	if err := serve(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "faultydisk:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A process has the device, and mounts it. Its exported methods are what the socket takes.
type process struct {
	device *device
	image  string // the device as a file
	dir    string // where the file system is mounted
	loop   string // /dev/loop3
	sector string // of the loop device, in bytes
}

// nothing is what a method takes that takes nothing; package rpc insists on something.
type nothing = int

// serve has a device of so many bytes in folder until the other end closes the socket, which
// is descriptor 3.
func serve(folder, size, sector string) error {
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return err
	}
	f := os.NewFile(3, "socket")
	conn, err := net.FileConn(f)
	if err != nil {
		return err
	}
	_ = f.Close()
	p := &process{
		device: &device{faults: newFaults(), bytes: make([]byte, n)},
		image:  filepath.Join(folder, "fuse", imageName), dir: filepath.Join(folder, "card"), sector: sector,
	}
	mount, err := mountDevice(filepath.Dir(p.image), p.device)
	if err != nil {
		return err
	}
	server := rpc.NewServer()
	if err = server.RegisterName("Device", methods{p}); err == nil {
		server.ServeConn(conn) // until it is closed
	}
	p.takeAway()
	return errors.Join(err, unmount(filepath.Dir(p.image)), ended(mount.Wait))
}

// ended waits for a while. What still hangs ends with this process, which has the
// descriptor of the FUSE connection: the kernel aborts that, and all that waits for it fails.
func ended(wait func()) error {
	done := make(chan struct{})
	go func() { wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-time.After(5 * time.Second):
		return errors.New("the device is still in use")
	}
}

// takeAway has nothing hang or fail any more, so that the file system can end, and unmounts it.
func (p *process) takeAway() {
	for op := Read; op <= Flush; op++ {
		p.device.faults.put(op, Fault{})
	}
	if p.loop == "" {
		return
	}
	_ = unmount(p.dir)
	_ = run("losetup", "-d", p.loop)
	p.loop = ""
}

func unmount(dir string) error { return syscall.Unmount(dir, syscall.MNT_DETACH) }

// methods is what can be called through the socket.
type methods struct{ p *process }

// Make puts a file system on the device and mounts it. What mkfs leaves to the kernel for
// later would be written during the test.
func (m methods) Make(_ nothing, loop *string) error {
	if err := run("mkfs.ext4", "-q", "-F", "-b", "4096", "-E", "nodiscard,lazy_itable_init=0,lazy_journal_init=0", m.p.image); err != nil {
		return err
	}
	return m.Mount(0, loop)
}

// Mount mounts what is on the device.
func (m methods) Mount(_ nothing, loop *string) error {
	out, err := output("losetup", "--sector-size", m.p.sector, "-f", "--show", m.p.image)
	if err != nil {
		return err
	}
	m.p.loop = strings.TrimSpace(out)
	*loop = m.p.loop
	return run("mount", "-o", "noatime", m.p.loop, m.p.dir)
}

// TakeAway unmounts.
func (m methods) TakeAway(nothing, *nothing) error {
	m.p.takeAway()
	return nil
}

// A Setting is an argument of Set.
type Setting struct {
	Op    Op
	Fault Fault
}

// Set sets a fault.
func (m methods) Set(s Setting, _ *nothing) error {
	m.p.device.faults.put(s.Op, s.Fault)
	return nil
}

// Stats returns the counters.
func (m methods) Stats(_ nothing, stats *Stats) error {
	m.p.device.mu.Lock()
	*stats = m.p.device.stats
	m.p.device.mu.Unlock()
	m.p.device.faults.mu.Lock()
	stats.Hanging = m.p.device.faults.hanging
	m.p.device.faults.mu.Unlock()
	return nil
}

// Record begins a record.
func (m methods) Record(nothing, *nothing) error {
	m.p.device.beginRecord()
	return nil
}

// Mark puts a mark into the record.
func (m methods) Mark(text string, _ *nothing) error {
	m.p.device.mu.Lock()
	defer m.p.device.mu.Unlock()
	m.p.device.note(Step{Kind: Marked, Mark: text})
	return nil
}

// Recorded ends the record and returns it.
func (m methods) Recorded(_ nothing, r *Record) error {
	recorded := m.p.device.endRecord()
	if recorded == nil {
		return errors.New("nothing was recorded: call Record first")
	}
	*r = *recorded
	return nil
}

func run(name string, args ...string) error {
	_, err := output(name, args...)
	return err
}

func output(name string, args ...string) (string, error) {
	path, err := find(name)
	if err != nil {
		return "", err
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}

// find looks for a program also where not everybody's PATH does.
func find(name string) (string, error) {
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed", name)
}
