package devices

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What a device has to have: of edgechat.c a struct of less than 4 KiB and a stack of less than 1 KiB beside what its ec_net
// takes; no allocation, and nothing of the C library but what copies and compares.
const (
	maxStruct = 4096
	maxStack  = 1024
)

func TestSize(t *testing.T) {
	source, err := filepath.Abs("../../devices/edgechat.c")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	text := "#include \"" + source + "\"\nchar size[sizeof(struct ec)];\n"
	if err := os.WriteFile(filepath.Join(folder, "size.c"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := gcc("-Os", "-fcallgraph-info=su,da", "-c", "-o", filepath.Join(folder, "size.o"), filepath.Join(folder, "size.c")); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command("nm", "-S", filepath.Join(folder, "size.o")).Output()
	if err != nil {
		t.Fatal(err)
	}
	size, code := 0, 0
	for line := range strings.SplitSeq(string(out), "\n") {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[0] == "U" && !regexp.MustCompile("^(mem(cpy|move|set)|str(cmp|ncmp|len|ncpy|str|cspn)|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_)$").MatchString(f[1]):
			t.Errorf("it needs %s", f[1])
		case len(f) == 4 && (f[2] == "T" || f[2] == "t" || f[2] == "r"):
			n, err := strconv.ParseInt(f[1], 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			code += int(n)
		case len(f) == 4 && f[3] == "size":
			n, err := strconv.ParseInt(f[1], 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			size = int(n)
		}
	}
	if size == 0 || size > maxStruct {
		t.Errorf("struct ec has %d bytes", size)
	}
	stack := deepest(t, filepath.Join(folder, "size.ci"))
	if stack == 0 || stack > maxStack {
		t.Errorf("it takes %d bytes of stack", stack)
	}
	t.Logf("struct ec: %d bytes; stack: %d bytes; code and tables: %d bytes", size, stack, code)
}

// deepest returns the bytes of the deepest path from ec_poll through the call graph that gcc has written.
func deepest(t *testing.T, path string) int {
	p, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	own, calls := map[string]int{}, map[string][]string{}
	for _, m := range regexp.MustCompile(`node: \{ title: "([^"]*)" label: "[^"]*?(\d+) bytes`).FindAllStringSubmatch(string(p), -1) {
		own[m[1]], err = strconv.Atoi(m[2])
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range regexp.MustCompile(`edge: \{ sourcename: "([^"]*)" targetname: "([^"]*)"`).FindAllStringSubmatch(string(p), -1) {
		calls[m[1]] = append(calls[m[1]], m[2])
	}
	var depth func(name string, above []string) int
	depth = func(name string, above []string) int {
		for _, a := range above {
			if a == name {
				t.Fatalf("%s calls itself: nothing bounds the stack", name)
			}
		}
		most := 0
		for _, callee := range calls[name] {
			most = max(most, depth(callee, append(above, name)))
		}
		return own[name] + most
	}
	return depth("ec_poll", nil)
}
