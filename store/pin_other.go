//go:build !linux

package store

import "os"

// pin does nothing here: the pages were read a moment ago.
func pin(*os.File, map[uint64]int, int) (unpin func(), err error) { return func() {}, nil }
