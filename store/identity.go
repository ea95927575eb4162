package store

import (
	"os"
	"strings"
	"time"
)

// An ID is never given twice, also not by two lines of the same store: a copy of the file that was put
// back, or started on another board, knows nothing of what the other one gave
// since. So the store has to know at its start if the file is the one that was last written here:
//
//   - the identity says which file it is: machine, device with its serial number, inode and when that was made;
//   - the file's time of change is not much later than the last write that it knows of itself: whoever
//     puts a copy in the place of the contents of a file, or moves it, changes that;
//   - log and history have the same id, and count starts and changes on from each other.
//
// If any of them does not fit, the store opens an epoch that is forked. To do so without need, as after
// a chmod, costs nothing but that cursors above the end of the file are not proved.

// touchedAfter is how much later than the last write a file may have been changed: what a
// slow card takes for that write, and then some.
const touchedAfter = 10 * time.Second

// identify says which file f is.
func identify(f *os.File) string {
	machine, _ := os.ReadFile("/etc/machine-id")
	parts := []string{strings.TrimSpace(string(machine))}
	if info, err := f.Stat(); err == nil {
		parts = append(parts, deviceAndInode(f, info)...)
	}
	return strings.Join(parts, " ")
}

// touchedSince says if somebody changed the file after the store wrote to it last.
func touchedSince(f *os.File, last time.Time) bool {
	info, err := f.Stat()
	return err == nil && changed(info).After(last.Add(touchedAfter))
}

// sameFile says if path is still the file that f is, so that what is written to f
// can be found again.
func sameFile(path string, f *os.File) (bool, error) {
	have, err := f.Stat()
	if err != nil {
		return false, err
	}
	info, err := os.Stat(path)
	if os.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return os.SameFile(have, info), nil
}
