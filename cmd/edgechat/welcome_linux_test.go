package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// Who starts the server on a terminal is shown where phones find it; under systemd, or in a pipe, nobody is.
func TestWelcome(t *testing.T) {
	if _, err := exec.LookPath("script"); err != nil {
		t.Skip("script (util-linux) is not installed")
	}
	for _, c := range []struct {
		name, listen, env, want string
	}{
		{"alone", "127.0.0.1:0", "", `  http://127\.0\.0\.1:\d+\r\n  Others in the network do not reach it: edgechat serve --listen :3000 lets them\.`},
		{"systemd", "127.0.0.1:0", "INVOCATION_ID=1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := new(edgetest.Log)
			cmd := exec.Command("script", "-qefc", "exec edgechat serve --listen "+c.listen+" --data "+t.TempDir(), "/dev/null")
			cmd.Stdout = out
			cmd.Env = append(os.Environ(), c.env)
			in, err := cmd.StdinPipe() // at whose end script would end
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM); _ = cmd.Wait() })
			for end := time.Now().Add(30 * time.Second); !out.Has("msg=access"); time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("it does not serve:\n%s", out)
				}
			}
			if c.want == "" && strings.Contains(out.String(), "Others in the network") || !regexp.MustCompile(c.want).MatchString(out.String()) {
				t.Errorf("it prints\n%s\nwant %s", out, c.want)
			}
		})
	}
	if w := width(&strings.Builder{}); w != -1 {
		t.Errorf("a Builder is %d wide", w)
	}
}
