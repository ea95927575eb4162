//go:build unix

package ws

import (
	"math"
	"syscall"
)

// maxDescriptors returns how many descriptors this process may have open, 0 if the kernel does not say.
func maxDescriptors() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0
	}
	return int(min(uint64(r.Cur), math.MaxInt32)) // signed on some systems
}
