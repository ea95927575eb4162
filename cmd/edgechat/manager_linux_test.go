package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// A manager is what a service manager is to the server: a socket that is told
// how it is, and the process.
type manager struct {
	t    *testing.T
	c    *net.UnixConn
	path string
}

func newManager(t *testing.T) *manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &manager{t, c, path}
}

// next returns the next datagram, or "" if there is none within patience.
func (m *manager) next(patience time.Duration) string {
	m.t.Helper()
	b := make([]byte, 4096)
	_ = m.c.SetReadDeadline(time.Now().Add(patience))
	n, err := m.c.Read(b)
	if err != nil && !os.IsTimeout(err) {
		m.t.Fatal(err)
	}
	return string(b[:n])
}

// await returns the next datagram that matches and is not one of the others that
// are allowed to come before it.
func (m *manager) await(want, others string) string {
	m.t.Helper()
	for {
		got := m.next(20 * time.Second)
		if regexp.MustCompile(`^(?:` + want + `)$`).MatchString(got) {
			return got
		}
		if got == "" || !regexp.MustCompile(`^(?:`+others+`)$`).MatchString(got) {
			m.t.Fatalf("the server said %q, want %s", got, want)
		}
	}
}

// A process is a server that runs.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	log *edgetest.Log
}

// fewDescriptors is a variable that says how many descriptors a server may have.
const fewDescriptors = "TEST_DESCRIPTORS"

// runServe starts "edgechat serve" with these settings in the environment, and sockets from
// descriptor 3 on. LISTEN_PID is known only in the process itself, hence the shell.
func runServe(t *testing.T, sockets []*os.File, env ...string) *process {
	t.Helper()
	p := &process{t: t, log: new(edgetest.Log)}
	script := "[ -z \"$" + fewDescriptors + "\" ] || ulimit -n \"$" + fewDescriptors + "\"; exec edgechat serve"
	if sockets != nil {
		script = fmt.Sprintf("export LISTEN_FDS=%d LISTEN_PID=$$; %s", len(sockets), script)
	}
	p.cmd = exec.Command("sh", "-c", script)
	p.cmd.Stderr = p.log
	p.cmd.ExtraFiles = sockets
	p.cmd.Env = append(os.Environ(), env...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	return p
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// end waits for an end with exit code 0.
func (p *process) end() {
	p.t.Helper()
	if err := p.cmd.Wait(); err != nil {
		p.t.Fatalf("%v\n%s", err, p.log)
	}
}

// await waits until the log matches, and returns the first group.
func (p *process) await(expression string) string {
	p.t.Helper()
	re := regexp.MustCompile(expression)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if m := re.FindStringSubmatch(p.log.String()); m != nil {
			return m[len(m)-1]
		}
		if time.Now().After(end) {
			p.t.Fatalf("the log does not match %s:\n%s", expression, p.log)
		}
	}
}
