package main

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// A tree as cgroups(7) describes it; the lowest limit of a cgroup and those above it counts.
func TestCgroupMemory(t *testing.T) {
	root := t.TempDir()
	self := filepath.Join(root, "self")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("memory.max", "4000\n") // a namespace's root has one
	write("system.slice/memory.max", "3000\n")
	write("system.slice/edgechat.service/memory.max", "max\n")
	write("system.slice/other.service/memory.max", "100\n")
	write("small.slice/edgechat.service/memory.max", "1000\n")
	write("large.slice/memory.max", "9223372036854775807\n")
	write("broken.slice/memory.max", "lots\n")
	write("zero.slice/memory.max", "0\n")
	for _, c := range []struct {
		self  string
		want  int64
		group string
	}{
		{"0::/system.slice/edgechat.service\n", 3000, "/system.slice"},
		{"0::/small.slice/edgechat.service\n", 1000, "/small.slice/edgechat.service"},
		{"0::/large.slice\n", 4000, "/"},
		{"0::/broken.slice\n", 4000, "/"},
		{"0::/zero.slice\n", 4000, "/"},
		{"0::/gone/below\n", 4000, "/"},
		{"0::/\n", 4000, "/"},
		{"0::/../../small.slice/edgechat.service\n", 1000, "/small.slice/edgechat.service"},
		{"12:memory:/small.slice/edgechat.service\n0::/system.slice\n", 3000, "/system.slice"},
		{"12:memory:/small.slice/edgechat.service\n", 0, ""}, // version 1
		{"", 0, ""},
	} {
		write("self", c.self)
		if n, group := cgroupMemory(self, root); n != c.want || group != c.group {
			t.Errorf("%q: %d of %q, want %d of %q", c.self, n, group, c.want, c.group)
		}
	}
	if n, _ := cgroupMemory(filepath.Join(root, "none"), root); n != 0 {
		t.Errorf("without /proc: %d", n)
	}
	if err := os.Remove(filepath.Join(root, "memory.max")); err != nil {
		t.Fatal(err)
	}
	write("self", "0::/large.slice/x\n")
	if n, _ := cgroupMemory(self, root); n != math.MaxInt64 {
		t.Errorf("a root without a limit, as there is none outside of a namespace: %d", n)
	}
}

// machineMemory is what the kernel says elsewhere.
func TestMachineMemory(t *testing.T) {
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Skip(err)
	}
	_, text, _ := strings.Cut(string(raw), "MemTotal:")
	kB, err := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if n := machineMemory(); n != kB<<10 {
		t.Errorf("%d bytes, /proc/meminfo has %d", n, kB<<10)
	}
}

func TestMemoryLimit(t *testing.T) {
	for _, c := range []struct {
		machine, cgroup, want int64
		from                  string
	}{
		{512 << 20, 0, 256 << 20, "half of this machine's memory"},
		{512 << 20, 250 << 20, 200 << 20, "0.8 of memory.max of the cgroup /g"},
		{512 << 20, 400 << 20, 256 << 20, "half of this machine's memory"},
		{0, 1000<<20 + 1, 800 << 20, "0.8 of memory.max of the cgroup /g"},
		{512 << 20, 16 << 20, 32 << 20, "the least, more than 0.8 of memory.max of the cgroup /g"},
		{48 << 20, 0, 32 << 20, "the least, more than half of this machine's memory"},
		{0, 0, 0, ""},
		{1 << 40, math.MaxInt64, 1 << 39, "half of this machine's memory"},
	} {
		if n, from := lowestLimit(c.machine, c.cgroup, "/g"); n != c.want || from != c.from {
			t.Errorf("%d and %d: %d, %q; want %d, %q", c.machine, c.cgroup, n, from, c.want, c.from)
		}
	}
	set := func(k string) string { return map[string]string{"GOMEMLIMIT": "off"}[k] }
	if n, text, from := memoryLimit(set); n != debug.SetMemoryLimit(-1) || text != "off" || from != "environment GOMEMLIMIT" {
		t.Errorf("what the environment says: %d, %q, %q", n, text, from)
	}
}
