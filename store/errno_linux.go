package store

import "syscall"

// errFilesystem: the file system's own structures are damaged (EUCLEAN, which ext4 and xfs call EFSCORRUPTED).
const errFilesystem = syscall.EUCLEAN
