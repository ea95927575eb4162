//go:build !linux

package main

import "os"

// isTerminal reports whether somebody sits there, as far as the mode of the file tells.
func isTerminal(stream any) bool { return width(stream) >= 0 }

// width returns 0 for a terminal, whose columns are not asked for here, and -1 for what is none.
func width(stream any) int {
	f, ok := stream.(*os.File)
	if !ok {
		return -1
	}
	st, err := f.Stat()
	null, errNull := os.Stat(os.DevNull)
	if err != nil || st.Mode()&os.ModeCharDevice == 0 || errNull == nil && os.SameFile(st, null) {
		return -1
	}
	return 0
}
