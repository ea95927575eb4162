package main

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

const (
	// leastMemory: below it the collector would run all the time, and Go lets it have half of
	// the processor.
	leastMemory = 32 << 20
	// leastDescriptors is what the warning is about: each connection takes one, and
	// the store, the listeners and the event loops a dozen or two.
	leastDescriptors = 4096
)

// memoryLimit returns the soft limit of what Go's runtime holds, heap and stacks (GOMEMLIMIT), in
// bytes, the same as text, and where it comes from. The limit is 0, and text says nothing, if
// neither the machine nor a cgroup tells its memory; GOMEMLIMIT=off is math.MaxInt64. Go itself
// knows neither the cgroup's memory nor how small the board is, and lets the heap grow to twice
// what is in use. Where the kernel counts no memory for cgroups, as that of Raspberry Pi OS does
// unless cmdline.txt says cgroup_enable=memory, the half of the board counts alone.
func memoryLimit(getenv func(string) string) (limit int64, text, from string) {
	if text := getenv("GOMEMLIMIT"); text != "" {
		return debug.SetMemoryLimit(-1), text, "environment GOMEMLIMIT" // -1 asks
	}
	n, group := cgroupMemory("/proc/self/cgroup", "/sys/fs/cgroup")
	limit, from = lowestLimit(machineMemory(), n, group)
	return limit, fmt.Sprintf("%dMiB", limit>>20), from
}

// lowestLimit takes bytes of the machine, and of the cgroup that has the least; 0 is no limit.
func lowestLimit(machine, cgroup int64, group string) (limit int64, from string) {
	if machine > 0 {
		limit, from = machine/2, "half of this machine's memory"
	}
	if n := cgroup / 5 * 4; n > 0 && (limit == 0 || n < limit) {
		limit, from = n, "0.8 of memory.max of the cgroup "+group
	}
	if 0 < limit && limit < leastMemory {
		limit, from = leastMemory, "the least, more than "+from
	}
	return limit &^ (1<<20 - 1), from // whole MiB are easier to read
}

// useLimits sets the limit of the memory, and says what this process may use.
func useLimits(log *slog.Logger, getenv func(string) string) {
	limit, text, from := memoryLimit(getenv)
	if limit > 0 {
		debug.SetMemoryLimit(limit)
	}
	descriptors := maxDescriptors() // Go has raised the soft limit to it
	log.Debug("limits", "memory", text, "from", from, "descriptors", descriptors)
	if 0 < descriptors && descriptors < leastDescriptors {
		log.Warn("few file descriptors: each connection takes one", "limit", descriptors, "least", leastDescriptors,
			"hint", "set LimitNOFILE=65536 in the unit, or ulimit -Hn 65536 as root before the start")
	}
}
