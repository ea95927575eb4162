package compare_test

import (
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// servers builds what can be built here, and returns what to start by name.
func servers(t *testing.T) map[string]string {
	t.Helper()
	bin := t.TempDir()
	build(t, "go", "build", "-o", bin+"/", "./obvious", "./gorillahub")
	all := map[string]string{"obvious": bin + "/obvious", "gorillahub": bin + "/gorillahub"}
	if _, err := exec.LookPath("cc"); err != nil {
		t.Log("floor is left out: no C compiler (apt-get install gcc)")
	} else {
		all["floor"], all["floor-batch"] = bin+"/floor", bin+"/floor-batch"
		build(t, "cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", all["floor"], "floor/floor.c")
		build(t, "cc", "-O2", "-Wall", "-Wextra", "-Werror", "-DBATCH", "-o", all["floor-batch"], "floor/floor.c")
	}
	if bun, err := exec.LookPath("bun"); err != nil {
		t.Log("bun is left out: it is not on the PATH (npm install bun)")
	} else {
		script, err := filepath.Abs("bun/server.js")
		if err != nil {
			t.Fatal(err)
		}
		all["bun"] = bin + "/bun"
		if err := os.WriteFile(all["bun"], []byte("#!/bin/sh\nexec '"+bun+"' '"+script+"'\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// start runs a server until the test ends.
func start(t *testing.T, path string) (address string) {
	t.Helper()
	var port string
	for free := false; !free; { // below 32768, where the kernel takes ports for clients from
		port = strconv.Itoa(20000 + rand.IntN(12000))
		address = net.JoinHostPort("127.0.0.1", port)
		l, err := net.Listen("tcp", address)
		if free = err == nil; free {
			l.Close()
		}
	}
	server := exec.Command(path)
	server.Env = append(os.Environ(), "PORT="+port)
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return address
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen on %s: %v", path, address, err)
		}
	}
}

func build(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}
