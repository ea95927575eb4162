package codec

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestGenerated runs the generator, as go generate does, over a copy of wire.go
// and compares what it writes with what is checked in.
func TestGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the generator")
	}
	source, err := os.ReadFile("wire.go")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^//go:generate (.*)$`).FindSubmatch(source)
	if line == nil {
		t.Fatal("wire.go has no line for go generate")
	}
	// A copy beside this package, so that the module's tool is found; the names
	// of files are part of what is generated and stay the same.
	dir, err := os.MkdirTemp("testdata", "generated-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.WriteFile(filepath.Join(dir, "wire.go"), source, 0o644); err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(string(line[1]))
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOPACKAGE=codec", "GOFILE=wire.go")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line[1], err, out)
	}
	for _, name := range []string{"wire_gen.go", "wire_gen_test.go"} {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what wire.go generates; run go generate ./codec", name)
		}
	}
}
