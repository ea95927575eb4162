// Package devices runs the clients for small devices, devices/edgechat.c and devices/edgechat.py, each one file to
// copy, against the program.
package devices

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"edgechat/internal/edgetest/hostile"
)

var built string // a folder with edgechat, the server, and talk, the example of edgechat.c

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "devices")
	if err == nil {
		err = build(folder)
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		built = folder
		code = m.Run()
	}
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

func build(folder string) error {
	cmd := exec.Command("go", "build", "-o", filepath.Join(folder, "edgechat"), "../../cmd/edgechat")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	// What is read or written out of bounds, and what C does not define, ends the program.
	out, err := gcc("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover", "-DEC_EXAMPLE", "-D_GNU_SOURCE", "-o", filepath.Join(folder, "talk"), "../../devices/edgechat.c")
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// gcc compiles as strictly as it can.
func gcc(args ...string) (string, error) {
	out, err := exec.Command("gcc", append([]string{"-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"}, args...)...).CombinedOutput()
	return string(out), err
}

// devices are the clients, as commands. A MicroPython is taken if there is one; Debian has none.
func devices() map[string][]string {
	all := map[string][]string{"C": {filepath.Join(built, "talk")}, "CPython": {"python3", "-u", "../../devices/edgechat.py"}}
	if path, err := exec.LookPath("micropython"); err == nil {
		all["MicroPython"] = []string{path, "../../devices/edgechat.py"}
	}
	return all
}

// each runs a test for each of them.
func each(t *testing.T, test func(t *testing.T, device []string)) {
	for name, device := range devices() {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(device[0]); err != nil {
				t.Skipf("%s is not installed (apt-get install %s)", device[0], device[0])
			}
			t.Parallel()
			test(t, device)
		})
	}
}

func serve(t *testing.T, env ...string) *hostile.Server {
	t.Helper()
	return hostile.Serve(t, filepath.Join(built, "edgechat"), env...)
}

func words(s string) string { return strings.Join(strings.Fields(s), " ") }
