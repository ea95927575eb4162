package store

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// deviceAndInode names the serial number of a card, so that one that was copied to another is
// not taken for it.
func deviceAndInode(f *os.File, info fs.FileInfo) []string {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	dev := uint64(st.Dev)
	major, minor := dev>>8&0xfff|dev>>32&^0xfff, dev&0xff|dev>>12&^0xff
	parts := []string{fmt.Sprintf("%d:%d/%d", major, minor, st.Ino)}
	// A number is given to the next file once its own is gone.
	var stx unix.Statx_t
	if err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &stx); err == nil && stx.Mask&unix.STATX_BTIME != 0 {
		parts = append(parts, fmt.Sprintf("%d.%09d", stx.Btime.Sec, stx.Btime.Nsec))
	}
	// The device itself, or the disk that a partition is of (sysfs: block devices).
	at, err := filepath.EvalSymlinks(fmt.Sprintf("/sys/dev/block/%d:%d", major, minor))
	if err != nil {
		return parts
	}
	for _, dir := range []string{at, filepath.Dir(at)} {
		for _, name := range []string{"cid", "serial", "wwid"} {
			if b, err := os.ReadFile(filepath.Join(dir, "device", name)); err == nil {
				return append(parts, strings.TrimSpace(string(b)))
			}
		}
	}
	return parts
}

// changed returns the time of change of the inode, which nobody can set.
func changed(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(int64(st.Ctim.Sec), int64(st.Ctim.Nsec))
	}
	return info.ModTime()
}
