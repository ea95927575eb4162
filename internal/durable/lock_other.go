//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package durable

import (
	"io/fs"
	"os"
	"time"
)

// Systems without flock(2) and Unix owners: a replacement is still a single rename.

// Lock returns ErrNoLocks.
func Lock(*os.File, bool, time.Duration) error { return ErrNoLocks }

func openNoWait(path string) (*os.File, error) { return os.Open(path) }

// SameOwner does nothing.
func SameOwner(*os.File, fs.FileInfo) error { return nil }
func syncDir(*os.File) error                { return nil }
