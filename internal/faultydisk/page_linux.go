package faultydisk

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where returns where on the device the block of a file is that holds this byte: a range for Fault.
func (c *Card) Where(path string, offset int64) (from, to int64) {
	c.t.Helper()
	f, err := os.Open(path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	n := int32(offset / block)
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), 1 /* FIBMAP of linux/fs.h */, uintptr(unsafe.Pointer(&n))); errno != 0 {
		c.t.Fatalf("where is byte %d of %s: %v", offset, path, errno)
	}
	if n == 0 {
		c.t.Fatalf("byte %d of %s is nowhere on the device", offset, path)
	}
	return int64(n) * block, int64(n+1) * block
}

// Evict has the kernel forget the pages of a file that it has in memory, so that who reads
// them next meets the device; also those that process pid has mapped, unless they are locked.
func (c *Card) Evict(pid int, path string) {
	c.t.Helper()
	f, err := os.Open(path)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		c.t.Fatal(err) // what is dirty stays
	}
	// A page that has just come is on no list yet from which it could be taken: fadvise(2) puts it there, and the next round takes it.
	for range 3 {
		if err := pageOut(pid, path); err != nil {
			c.t.Fatal(err)
		}
		if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
			c.t.Fatalf("fadvise %s: %v", path, err)
		}
	}
}

// pageOut asks for what pid has mapped of path to be taken out of memory.
func pageOut(pid int, path string) error {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid)) // proc_pid_maps(5)
	if err != nil {
		return err
	}
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	defer unix.Close(process)
	for lines := bufio.NewScanner(bytes.NewReader(maps)); lines.Scan(); {
		if !strings.HasSuffix(lines.Text(), " "+path) {
			continue
		}
		var from, to uintptr
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x", &from, &to); err != nil {
			return fmt.Errorf("%s: %w", lines.Text(), err)
		}
		// An iovec that points into the other process, which this one must not take for a pointer of its own.
		vector := [2]uintptr{from, to - from}
		_, _, errno := unix.Syscall6(unix.SYS_PROCESS_MADVISE, uintptr(process), uintptr(unsafe.Pointer(&vector)), 1, unix.MADV_PAGEOUT, 0, 0)
		// Locked by now, or unmapped (madvise(2)).
		if errno != 0 && errno != unix.EINVAL && errno != unix.ENOMEM {
			return fmt.Errorf("process_madvise %s: %w", lines.Text(), errno)
		}
	}
	return nil
}
