package server

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// kernelWritten returns how many bytes this process has had written to disks, 0 if the kernel does not
// say (proc_pid_io(5), write_bytes).
func kernelWritten() uint64 { return procNumber("/proc/self/io", "write_bytes:") }

// residentBytes returns how much memory the process takes, 0 if the kernel does not say.
func residentBytes() uint64 { return procNumber("/proc/self/status", "VmRSS:") << 10 }

// procNumber returns the number behind key, which a line of a file begins with.
func procNumber(path, key string) uint64 {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(raw) {
		if rest, ok := bytes.CutPrefix(line, []byte(key)); ok {
			if fields := bytes.Fields(rest); len(fields) > 0 {
				n, _ := strconv.ParseUint(string(fields[0]), 10, 64)
				return n
			}
		}
	}
	return 0
}

// openDescriptors returns how many this process has. Linux says so at once from 6.2 on; before, they have to be
// counted.
func openDescriptors() int {
	const folder = "/proc/self/fd"
	if st, err := os.Stat(folder); err == nil && st.Size() > 0 {
		return int(st.Size())
	}
	f, err := os.Open(folder)
	if err != nil {
		return 0
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	return max(0, len(names)-1) // without f
}

// media are file systems by statfs(2)'s number, as far as boards have them.
var media = map[int64]string{
	0xef53: "ext4", 0x01021994: "tmpfs", 0x794c7630: "overlay", 0xf2f52010: "f2fs", 0x9123683e: "btrfs",
	0x58465342: "xfs", 0x4d44: "vfat", 0x2011bab0: "exfat", 0x6969: "nfs", 0x65735546: "fuse", 0x858458f6: "ramfs",
}

// medium returns the file system at path, and how much is free there, in bytes.
func medium(path string) (name string, free uint64) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return "unknown: " + err.Error(), 0
	}
	if name = media[int64(st.Type)&0xffffffff]; name == "" {
		name = "file system 0x" + strconv.FormatInt(int64(st.Type), 16)
	}
	return name, st.Bavail * uint64(st.Bsize)
}

func descriptorLimit() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil {
		return 0
	}
	return int(min(r.Cur, 1<<30))
}
