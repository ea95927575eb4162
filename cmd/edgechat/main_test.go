package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts run the real program: this test binary under the name edgechat.
func TestMain(m *testing.M) {
	// Built with -race, each of them would wait a second at its end for more races.
	if os.Getenv("GORACE") == "" {
		os.Setenv("GORACE", "atexit_sleep_ms=0")
	}
	testscript.Main(m, map[string]func(){"edgechat": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"waitfor": waitfor,
			"mode":    mode,
			"signal":  signalLast,
			"hold":    hold,
			"get":     get,
			"post":    post,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "mounts" { // may this process mount in a namespace of its own?
				return exec.Command("unshare", "--mount", "--propagation", "slave", "mount", "-t", "tmpfs", "none", "/tmp").Run() == nil, nil
			}
			return false, errors.New("unknown condition " + cond)
		},
	})
}

// exits CODE COMMAND... runs a command that must end with this exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// waitfor FILE REGEXP [VARIABLE] waits until a file, which a command in the
// background writes, matches, and stores the first group in the variable.
func waitfor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: waitfor FILE REGEXP [VARIABLE]")
	}
	re, err := regexp.Compile(args[1])
	ts.Check(err)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		raw, err := os.ReadFile(ts.MkAbs(args[0]))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			ts.Fatalf("%v", err)
		}
		if m := re.FindSubmatch(raw); m != nil {
			if len(args) > 2 {
				ts.Setenv(args[2], string(m[1]))
			}
			return
		}
	}
	raw, _ := os.ReadFile(ts.MkAbs(args[0]))
	ts.Fatalf("%s does not match %s in 20 s:\n%s", args[0], args[1], raw)
}

// signal NAME sends a signal to the command that was put in the background last.
func signalLast(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"TERM": syscall.SIGTERM, "INT": os.Interrupt, "HUP": syscall.SIGHUP}
	cmds := ts.BackgroundCmds()
	if neg || len(args) != 1 || signals[args[0]] == nil || len(cmds) == 0 {
		ts.Fatalf("usage: signal TERM|INT|HUP, with a command in the background")
	}
	ts.Check(cmds[len(cmds)-1].Process.Signal(signals[args[0]]))
}

// hold PORT PATH begins a POST whose body never ends, and waits until the server
// asks for that body (RFC 9110, section 10.1.1): it is being handled then.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hold PORT PATH")
	}
	conn, err := net.Dial("tcp", "127.0.0.1:"+args[0])
	ts.Check(err)
	ts.Defer(func() { conn.Close() })
	ts.Check(conn.SetDeadline(time.Now().Add(20 * time.Second)))
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n", args[1])
	ts.Check(err)
	head, err := readHead(conn)
	ts.Check(err)
	if !strings.HasPrefix(head, "HTTP/1.1 100 ") {
		ts.Fatalf("the server answered %q", head)
	}
}

// get STATUS PORT PATH [TEXT] does a GET that must end with this status, and writes the
// body to the file "body"; again until that has the text, if there is one.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 && len(args) != 4 {
		ts.Fatalf("usage: get STATUS PORT PATH [TEXT]")
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		body := getOnce(ts, args[0], args[1]+args[2])
		ts.Check(os.WriteFile(ts.MkAbs("body"), body, 0o600))
		if len(args) == 3 || bytes.Contains(body, []byte(args[3])) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s has no %q in 20 s: %s", args[2], args[3], body)
		}
	}
}

func getOnce(ts *testscript.TestScript, status, address string) []byte {
	resp, err := http.Get("http://127.0.0.1:" + address)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	if strconv.Itoa(resp.StatusCode) != status {
		ts.Fatalf("%s: %s", resp.Status, body)
	}
	return body
}

// post PORT PATH TEXT publishes a text, which must be acknowledged.
func post(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: post PORT PATH TEXT")
	}
	resp, err := http.Post("http://127.0.0.1:"+args[0]+args[1]+"?username=script", "text/plain", strings.NewReader(args[2]))
	ts.Check(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		ts.Fatalf("%s", resp.Status)
	}
}

// mode PERM FILE checks the permissions of a file.
func mode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode PERM FILE")
	}
	st, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(st.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}
