//go:build unix

package main

import (
	"math"
	"syscall"
)

// maxDescriptors returns how many descriptors this process may have open, 0 if
// the kernel does not say.
func maxDescriptors() int64 {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0
	}
	return int64(min(uint64(r.Max), math.MaxInt64)) // signed on some systems
}
