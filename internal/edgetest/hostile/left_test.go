package hostile

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// A server does not outlive the tests that started it, even if these are killed.
func TestServerEndsWithTests(t *testing.T) {
	const variable = "EDGECHAT_HOSTILE_KILLED"
	if os.Getenv(variable) != "" { // the tests that are killed
		fmt.Println("\n" + variable + "=" + serve(t).Addr)
		time.Sleep(patience)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestServerEndsWithTests$", "-edgechat="+*program, "-clients="+clients)
	cmd.Env = append(os.Environ(), variable+"=1", "TMPDIR="+t.TempDir())
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	addr := ""
	for lines := bufio.NewScanner(stdout); addr == "" && lines.Scan(); {
		_, addr, _ = strings.Cut(lines.Text(), variable+"=")
	}
	healthy := healthz(addr)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if healthy != nil {
		t.Fatal(healthy)
	}
	for end := time.Now().Add(10 * time.Second); healthz(addr) == nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the server at %s goes on", addr)
		}
	}
}
