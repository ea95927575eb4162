package systemd

import (
	"syscall"
	"time"
	"unsafe"
)

// monotonic returns CLOCK_MONOTONIC as the manager reads it. What package time
// keeps of it is counted from the start of the process.
func monotonic() time.Duration {
	const clockMonotonic = 1
	var ts syscall.Timespec
	_, _, _ = syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockMonotonic, uintptr(unsafe.Pointer(&ts)), 0) // this clock is always there
	return time.Duration(ts.Nano())
}
