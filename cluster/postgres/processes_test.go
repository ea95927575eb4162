package postgres

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Signal reaches all processes of the server, which are no group.
func (s *server) Signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	pids := []int{s.cmd.Process.Pid}
	found, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range found {
		if pid, parent := parentOf(path); parent == s.cmd.Process.Pid {
			pids = append(pids, pid)
		}
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, sig); err != nil && err != syscall.ESRCH {
			t.Fatal(err)
		}
	}
}

// parentOf reads a stat file (proc(5)); both are 0 if the process is gone.
func parentOf(path string) (pid, parent int) {
	b, _ := os.ReadFile(path)
	head, rest, ok := strings.Cut(string(b), " (")
	if at := strings.LastIndex(rest, ") "); ok && at >= 0 {
		if f := strings.Fields(rest[at+2:]); len(f) > 1 {
			pid, _ = strconv.Atoi(head)
			parent, _ = strconv.Atoi(f[1])
		}
	}
	return pid, parent
}
