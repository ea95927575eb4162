package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// statfs(2)
const (
	magicTmpfs   = 0x01021994
	magicRamfs   = 0x858458f6
	magicOverlay = 0x794c7630
)

// volatile says why what is written to dir is gone when the power is, "" if it is not: a file
// system in memory, or an overlay whose upper layer is one, as raspi-config makes it to
// spare the card.
func volatile(dir string) string {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return ""
	}
	switch uint32(st.Type) {
	case magicTmpfs, magicRamfs:
		return dir + " is in memory (tmpfs): name a folder on a disk"
	case magicOverlay:
		return overlay(dir)
	}
	return ""
}

// overlay looks at the upper layer of the overlay that dir is in (proc_pid_mountinfo(5)).
func overlay(dir string) string {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		real = dir
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	best, options := "", ""
	// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - overlay overlay rw,lowerdir=/lower,upperdir=/upper
	for line := range strings.Lines(string(mounts)) {
		before, after, ok := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !ok || len(f) < 5 || len(g) < 3 {
			continue
		}
		at := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\134`, `\`).Replace(f[4])
		if len(at) >= len(best) && (at == "/" || real == at || strings.HasPrefix(real, at+"/")) {
			if best, options = at, ""; g[0] == "overlay" {
				options = g[2]
			}
		}
	}
	for option := range strings.SplitSeq(options, ",") {
		if option == "volatile" {
			return fmt.Sprintf("%s is an overlay that is mounted volatile", dir)
		}
		upper, ok := strings.CutPrefix(option, "upperdir=")
		if !ok {
			continue
		}
		var st syscall.Statfs_t
		if err := syscall.Statfs(upper, &st); err != nil {
			// It lies outside of what this process sees: mounted before the root was, as
			// raspi-config does, or by a container's runtime, whose layer goes with the container. What is not known
			// to last is not promised.
			return fmt.Sprintf("%s is an overlay whose upper layer %s cannot be seen: mount a volume of a disk there", dir, upper)
		}
		switch uint32(st.Type) {
		case magicTmpfs, magicRamfs:
			return fmt.Sprintf("%s is an overlay whose upper layer %s is in memory: mount a disk there", dir, upper)
		case magicOverlay:
			return fmt.Sprintf("%s is an overlay on an overlay", dir)
		}
		return ""
	}
	return ""
}
