//go:build !linux

package store

import "syscall"

// errFilesystem has no name of its own here.
const errFilesystem = syscall.EIO
