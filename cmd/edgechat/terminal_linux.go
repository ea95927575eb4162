package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// isTerminal reports whether somebody sits there.
func isTerminal(stream any) bool { return width(stream) >= 0 }

// width returns the columns of a terminal, 0 if it does not know them, and -1 for what is none.
func width(stream any) int {
	f, ok := stream.(*os.File)
	if !ok {
		return -1
	}
	columns := -1
	conn, err := f.SyscallConn()
	if err != nil {
		return -1
	}
	_ = conn.Control(func(fd uintptr) { // it fails for what is closed
		if _, err := unix.IoctlGetTermios(int(fd), unix.TCGETS); err != nil {
			return
		}
		columns = 0
		if size, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ); err == nil {
			columns = int(size.Col)
		}
	})
	return columns
}
