package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// A mount is the line of /proc/self/mountinfo that a folder is in (proc_pid_mountinfo(5)).
type mount struct {
	at, kind, source string
	device           string   // major:minor
	options          []string // of the mount and of the file system
}

func (m *mount) String() string { return fmt.Sprintf("%s on %s (%s)", m.kind, m.at, m.source) }

// option returns the value of an option, and whether it is there.
func (m *mount) option(name string) (string, bool) {
	for _, o := range m.options {
		if key, value, _ := strings.Cut(o, "="); key == name {
			return value, true
		}
	}
	return "", false
}

var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// mountOf returns what dir, a path without symbolic links, is mounted from.
func (b *Board) mountOf(dir string) (*mount, error) {
	mounts, err := os.ReadFile(b.path("/proc/self/mountinfo"))
	if err != nil {
		return nil, err
	}
	var best *mount
	// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext4 /dev/root rw,errors=continue
	for line := range strings.Lines(string(mounts)) {
		before, after, found := strings.Cut(line, " - ")
		f, g := strings.Fields(before), strings.Fields(after)
		if !found || len(f) < 6 || len(g) < 3 {
			continue
		}
		at := unescape.Replace(f[4])
		if within(dir, at) && (best == nil || len(at) >= len(best.at)) { // a later one hides the one before
			best = &mount{at: at, kind: g[0], source: unescape.Replace(g[1]), device: f[2],
				options: strings.Split(f[5]+","+g[2], ",")}
		}
	}
	if best == nil {
		return nil, fmt.Errorf("/proc/self/mountinfo does not have the file system of %s", dir)
	}
	return best, nil
}

func within(dir, at string) bool { return at == "/" || dir == at || strings.HasPrefix(dir, at+"/") }

// folder returns the data folder, or the nearest one above that exists, without symbolic links.
func (b *Board) folder() (string, error) {
	dir, err := filepath.Abs(b.Data)
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Lstat(dir); err == nil || dir == "/" {
			return filepath.EvalSymlinks(dir)
		}
		dir = filepath.Dir(dir)
	}
}

// withFolder has look examine the data folder, or says why it cannot.
func withFolder(b *Board, look func(dir string, m *mount) []Finding) []Finding {
	if b.Data == "" {
		return []Finding{unseen("edgechat doctor --data FOLDER", "no data folder is named")}
	}
	dir, err := b.folder()
	if err != nil {
		return []Finding{unseen("", "%v", err)}
	}
	m, err := b.mountOf(dir)
	if err != nil {
		return []Finding{unseen("", "%v", err)}
	}
	return look(dir, m)
}

// medium says whether what is written outlives the power.
func medium(ctx context.Context, b *Board) []Finding {
	return withFolder(b, func(dir string, m *mount) []Finding {
		f := ok("%s is in %s", dir, m)
		switch {
		case hasOption(m, "ro"):
			f.Severity, f.Means = Problem, "it is mounted read-only: the server does not start, or a running one keeps nothing (the kernel does that after errors of a card: sudo dmesg | grep -i ext4)"
			f.Mend = "sudo mount -o remount,rw " + m.at
		case m.kind == "tmpfs" || m.kind == "ramfs":
			f.Severity, f.Means = Warning, "that is memory: the history is gone when the power is"
			f.Mend = "edgechat serve --data FOLDER, with a folder on a card or a disk"
		case m.kind == "overlay":
			return []Finding{overlay(b, f, m)}
		case m.kind == "ext4":
			return []Finding{ext4(ctx, b, f, m)}
		case m.kind == "vfat" || m.kind == "exfat" || m.kind == "msdos":
			f.Severity, f.Means = Warning, "it has no journal: a power cut during a write can damage its folders, and it has no owners to keep others out"
			f.Mend = "edgechat serve --data FOLDER, with a folder on ext4"
		case strings.HasPrefix(m.kind, "nfs") || m.kind == "cifs" || m.kind == "smb3":
			f.Severity, f.Means = Warning, "that is another machine's disk: the server waits whenever the network does, and a lock may not hold"
			f.Mend = "edgechat serve --data FOLDER, with a folder on this board"
		}
		return []Finding{f}
	})
}

func hasOption(m *mount, name string) bool {
	_, found := m.option(name)
	return found
}

// overlay says where the upper layer is, which takes what is written.
func overlay(b *Board, f Finding, m *mount) Finding {
	upper, _ := m.option("upperdir")
	f.Seen += ", whose upper layer is " + upper
	volatile := func(why string) Finding {
		f.Severity, f.Means = Warning, why+": the history is gone when the power is"
		f.Mend = "sudo raspi-config nonint disable_overlayfs && sudo reboot, or a folder on a partition of its own: edgechat serve --data FOLDER"
		return f
	}
	if hasOption(m, "volatile") {
		return volatile("it is mounted volatile, without any flush")
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(upper, &st); err != nil {
		f.Severity = Note
		f.Unseen = fmt.Sprintf("the upper layer, which lies outside of what this process sees (%v): raspi-config's read-only file system keeps it in memory, and so what is written is gone when the power is", err)
		f.Mend = "grep overlayroot /proc/cmdline; if it is there: sudo raspi-config nonint disable_overlayfs && sudo reboot"
		return f
	}
	switch uint32(st.Type) { // statfs(2)
	case 0x01021994, 0x858458f6:
		return volatile("the upper layer is in memory")
	}
	return f
}

// ext4 asks whether its journal takes shortcuts. bbolt lists damage after power cuts with fast_commit
// (its issue 562).
func ext4(ctx context.Context, b *Board, f Finding, m *mount) Finding {
	if hasOption(m, "nobarrier") || hasBarrier(m, "0") {
		f.Severity, f.Means = Problem, "it is mounted without barriers: a flush does not reach the card, and a power cut damages the file system"
		f.Mend = "sudo mount -o remount,barrier=1 " + m.at + ", and take nobarrier out of /etc/fstab"
		return f
	}
	source := m.source
	if source == "/dev/root" {
		source = "/dev/block/" + m.device
		if name, err := os.Readlink(b.path("/sys/dev/block/" + m.device)); err == nil {
			source = "/dev/" + filepath.Base(name)
		}
	}
	out, err := b.program(ctx, "dumpe2fs", "-h", source)
	if err != nil {
		f.Severity, f.Unseen = Note, "whether it has fast_commit: "+err.Error()
		if errors.Is(err, exec.ErrNotFound) {
			f.Mend = "sudo apt install e2fsprogs"
		} else if os.Geteuid() != 0 {
			f.Mend = "sudo edgechat doctor"
		}
		return f
	}
	for line := range strings.Lines(out) {
		features, found := strings.CutPrefix(line, "Filesystem features:")
		if !found {
			continue
		}
		fields := strings.Fields(features)
		journal := false
		for _, feature := range fields {
			switch feature {
			case "fast_commit":
				f.Seen += "; dumpe2fs -h " + source + " lists fast_commit"
				f.Severity, f.Means = Warning, "with fast_commit files of databases were damaged by power cuts"
				f.Mend = "sudo tune2fs -O ^fast_commit " + source + " && sudo reboot"
				return f
			case "has_journal":
				journal = true
			}
		}
		if !journal {
			f.Seen += "; dumpe2fs -h " + source + " lists no has_journal"
			f.Severity, f.Means = Warning, "it has no journal: a power cut can damage its folders"
			f.Mend = "from another machine, with the card unmounted: sudo tune2fs -O has_journal " + source
			return f
		}
		f.Seen += ", with a journal, without fast_commit"
		return f
	}
	f.Severity, f.Unseen = Note, "whether it has fast_commit: dumpe2fs -h "+source+" lists no features"
	return f
}

func hasBarrier(m *mount, value string) bool {
	v, found := m.option("barrier")
	return found && v == value
}
