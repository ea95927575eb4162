//go:build unix

package main

import (
	"math"
	"syscall"
)

// fileLimit is how many descriptors this process may have. The Go runtime has
// raised the soft limit to the hard one at start.
func fileLimit() uint64 {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return math.MaxUint64 // let the connects tell
	}
	return uint64(limit.Cur)
}
