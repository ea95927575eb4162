//go:build !linux

package store

import (
	"os"
	"syscall"
)

// errFilesystem has no name of its own here.
const errFilesystem = syscall.EIO

func holder(*os.File) string { return "" }
