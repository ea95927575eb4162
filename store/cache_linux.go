//go:build linux && (amd64 || arm64)

package store

import (
	"os"
	"syscall"
)

const fadvDontNeed = 4 // POSIX_FADV_DONTNEED, posix_fadvise(2)

// dropCache has the next read of f come from the disk. After a failed fsync Linux keeps
// the pages as they were to be written, marked as if they had been. It is a
// request: what is in use stays.
func dropCache(f *os.File) {
	_, _, _ = syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, fadvDontNeed, 0, 0)
}
