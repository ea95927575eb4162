//go:build !linux

package wal

import "os"

// flush puts what was written to f on disk.
func flush(f *os.File) error { return f.Sync() }
