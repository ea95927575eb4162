package durable

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// LockedBy says which process holds the lock of f, as "process 1234 edgechat"
// (proc_locks(5)), or nothing where that cannot be told.
func LockedBy(f *os.File) string {
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return ""
	}
	// 1: FLOCK  ADVISORY  WRITE 1234 08:02:131 0 EOF
	inode := fmt.Sprintf(":%d", stat.Ino)
	for line := range strings.Lines(string(locks)) {
		if f := strings.Fields(line); len(f) >= 6 && f[1] == "FLOCK" && strings.HasSuffix(f[5], inode) {
			name, _ := os.ReadFile("/proc/" + f[4] + "/comm")
			return strings.TrimRight(fmt.Sprintf("process %s %s", f[4], strings.TrimSpace(string(name))), " ")
		}
	}
	return ""
}
