package edgechat_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What the released program for amd64 may have resident when it is ready, in KiB. Some ten MiB of it are pages of the program itself,
// which the kernel maps around each one that is touched and may drop at any time: what makes the program larger counts here in
// full, and how much is mapped differs with how the file came into memory. The rest is its own.
const (
	maxResident  = 13_824
	maxAnonymous = 2_560
)

// TestResidentAtStart builds what is released, starts it, and asks the kernel once it answers. The least of five counts: threads that
// are made a moment earlier or later are worth some 0.2 MB.
func TestResidentAtStart(t *testing.T) {
	if testing.Short() || runtime.GOARCH != "amd64" {
		t.Skip("the figure is amd64's")
	}
	dist := t.TempDir()
	build := exec.Command("./cross-build.sh", "amd64")
	build.Env = append(os.Environ(), "DIST="+dist, "VERSION=test")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	least, own := 1<<30, 1<<30
	for range 5 {
		all, anonymous := residentAtStart(t, filepath.Join(dist, "edgechat-linux-amd64"))
		least, own = min(least, all), min(own, anonymous)
	}
	t.Logf("resident at start: %d KiB, %d of them its own", least, own)
	if least > maxResident || own > maxAnonymous {
		t.Errorf("%d KiB are resident at the start, %d of them its own, and %d and %d are the limits", least, own, maxResident, maxAnonymous)
	}
}

var (
	listening = regexp.MustCompile(`msg=listening .*url=(http://\S+)`)
	resident  = regexp.MustCompile(`VmRSS:\s+(\d+) kB\s+RssAnon:\s+(\d+) kB`)
)

func residentAtStart(t *testing.T, program string) (all, anonymous int) {
	t.Helper()
	logPath := filepath.Join(t.TempDir(), "log")
	log, err := os.Create(logPath)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(program, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	cmd.Env, cmd.Stderr, cmd.Stdout = []string{"PATH=/nowhere"}, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // Pdeathsig is that of the thread
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(logPath)
		if err != nil {
			t.Fatal(err)
		}
		if url := listening.FindStringSubmatch(string(text)); url != nil {
			resp, err := http.Get(strings.TrimSpace(url[1]) + "/healthz")
			if err == nil {
				_ = resp.Body.Close()
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("it is not ready:\n%s", text)
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	found := resident.FindSubmatch(status)
	if found == nil {
		t.Fatalf("no VmRSS and RssAnon in %s", status)
	}
	all, _ = strconv.Atoi(string(found[1])) // digits, and few
	anonymous, _ = strconv.Atoi(string(found[2]))
	return all, anonymous
}
