package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// machineMemory returns the machine's RAM in bytes, 0 if the kernel does not say. The
// system call works in sandboxes that hide /proc/meminfo.
func machineMemory() int64 {
	var si syscall.Sysinfo_t
	if err := syscall.Sysinfo(&si); err != nil {
		return 0
	}
	return int64(si.Totalram) * int64(max(si.Unit, 1))
}

// cgroupMemory returns the lowest memory.max, in bytes, of the cgroup that the
// file self names and of those above it, in the tree mounted at root (cgroups(7),
// version 2 alone), and the cgroup that has it; 0 if none is limited.
func cgroupMemory(self, root string) (lowest int64, group string) {
	raw, err := os.ReadFile(self)
	if err != nil {
		return 0, ""
	}
	for line := range strings.Lines(string(raw)) {
		own, ok := strings.CutPrefix(line, "0::") // version 2 has this line and no other
		if !ok {
			continue
		}
		// Within a namespace it may lie above the root, as /../x: Clean cuts that.
		for dir := filepath.Clean("/" + strings.TrimSuffix(own, "\n")); ; dir = filepath.Dir(dir) {
			// "max" is none, and fails to parse. The root has no such file, save in a
			// namespace, where it is the container's.
			text, err := os.ReadFile(filepath.Join(root, dir, "memory.max"))
			if err == nil {
				n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
				if err == nil && n > 0 && (lowest == 0 || n < lowest) {
					lowest, group = n, dir
				}
			}
			if dir == "/" {
				return lowest, group
			}
		}
	}
	return 0, ""
}
