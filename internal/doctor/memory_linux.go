package doctor

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

const memoryFew = 64 << 20 // free of what the server takes with its defaults and some hundred clients

// memory looks at what is free, and whether a limit of a cgroup would hold.
func memory(_ context.Context, b *Board) []Finding {
	return []Finding{freeMemory(b), cgroup(b)}
}

func freeMemory(b *Board) Finding {
	info, err := b.text("/proc/meminfo")
	if err != nil {
		return unseen("", "%v", err)
	}
	total, available := uint64(0), uint64(0)
	for line := range strings.Lines(info) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		switch n, _ := strconv.ParseUint(f[1], 10, 64); f[0] {
		case "MemTotal:":
			total = n << 10
		case "MemAvailable:":
			available = n << 10
		}
	}
	if total == 0 {
		return unseen("", "/proc/meminfo has no MemTotal")
	}
	f := ok("%s of %s available (/proc/meminfo)", size(available), size(total))
	if available < memoryFew {
		f.Severity, f.Means = Warning, "little memory is left: the kernel ends a process when there is none"
		f.Mend = "ps -eo rss,comm --sort=-rss | head"
	}
	return f
}

// service is the unit whose cgroup is looked at.
const service = "/sys/fs/cgroup/system.slice/edgechat.service"

func cgroup(b *Board) Finding {
	controllers, err := b.text("/sys/fs/cgroup/cgroup.controllers")
	if err != nil {
		return unseen("", "whether a limit of memory holds: %v", err)
	}
	if !slices.Contains(strings.Fields(controllers), "memory") {
		f := Finding{Severity: Note, Seen: "no memory in /sys/fs/cgroup/cgroup.controllers: " + controllers,
			Means: "MemoryMax= in a unit does nothing (Raspberry Pi OS starts so); GOMEMLIMIT in /etc/default/edgechat is heeded",
			Mend:  "only if you want MemoryMax=: add cgroup_enable=memory to the line in /boot/firmware/cmdline.txt, and reboot"}
		if line, err := b.text("/proc/cmdline"); err == nil && slices.Contains(strings.Fields(line), "cgroup_disable=memory") {
			f.Seen += "; /proc/cmdline has cgroup_disable=memory"
		}
		return f
	}
	limit, err := b.text(service + "/memory.max")
	if err != nil {
		return ok("the memory cgroup is on (/sys/fs/cgroup/cgroup.controllers); no service runs there (%s)", path.Base(service))
	}
	bound, err := strconv.ParseUint(limit, 10, 64)
	if err != nil { // "max"
		return ok("the memory cgroup is on, and the service has no limit (%s/memory.max: %s)", service, limit)
	}
	f := ok("the service may use %s (%s/memory.max)", size(bound), service)
	used, err := b.number(service + "/memory.current")
	if err == nil {
		f.Seen += fmt.Sprintf(" and uses %s", size(uint64(used)))
	}
	kills := uint64(0)
	if events, err := b.text(service + "/memory.events"); err == nil {
		for line := range strings.Lines(events) {
			if g := strings.Fields(line); len(g) == 2 && g[0] == "oom_kill" {
				kills, _ = strconv.ParseUint(g[1], 10, 64)
			}
		}
	}
	if kills > 0 {
		f.Seen += fmt.Sprintf("; memory.events: oom_kill %d", kills)
	}
	if kills > 0 || bound < memoryFew {
		f.Severity, f.Means = Warning, "the limit is too low: the kernel ends the server when it is reached"
		f.Mend = "sudo systemctl edit edgechat.service, [Service] MemoryMax=256M; or GOMEMLIMIT in /etc/default/edgechat at four fifths of the limit"
	}
	return f
}
