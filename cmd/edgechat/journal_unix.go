//go:build unix

package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// isJournal compares w to the device and inode that systemd names in
// JOURNAL_STREAM (systemd.exec(5)): the variable alone does not tell, since
// what a service starts inherits it with its output sent elsewhere.
func isJournal(w io.Writer, stream string) bool {
	f, ok := w.(*os.File)
	if !ok || stream == "" {
		return false
	}
	st, err := f.Stat()
	if err != nil {
		return false
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	return ok && stream == fmt.Sprintf("%d:%d", sys.Dev, sys.Ino)
}
