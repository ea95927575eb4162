package devices

import (
	"bufio"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

const patience = 60 * time.Second

// A running is a device that was started.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	stdin io.WriteCloser
	ended chan struct{} // closed once it has ended and all of its output is here

	mu    sync.Mutex
	lines []string
}

// run starts a device that talks to addr. It ends with the test.
func run(t *testing.T, device []string, env []string, addr string, args ...string) *running {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	all := append([]string(nil), device[1:]...)
	if args[0] == "-l" {
		all, args = append(all, "-l"), args[1:]
	}
	r := &running{t: t, ended: make(chan struct{})}
	r.cmd = exec.Command(device[0], append(append(all, host, port), args...)...)
	r.cmd.Env = append(append(os.Environ(), "ASAN_OPTIONS=detect_leaks=0"), env...) // leaks need ptrace
	r.cmd.Stderr = os.Stderr
	r.stdin, err = r.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			r.mu.Lock()
			r.lines = append(r.lines, strings.TrimRight(s.Text(), " "))
			r.mu.Unlock()
		}
		_ = r.cmd.Wait()
		close(r.ended)
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.ended
	})
	return r
}

// say gives it lines to say.
func (r *running) say(lines ...string) {
	r.t.Helper()
	if _, err := io.WriteString(r.stdin, strings.Join(lines, "\n")+"\n"); err != nil {
		r.t.Fatal(err)
	}
}

// said returns the lines that it printed and that begin so.
func (r *running) said(prefix string) (lines []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.lines {
		if strings.HasPrefix(line, prefix) {
			lines = append(lines, line)
		}
	}
	return lines
}

// await waits until it has printed n lines that begin so, and returns them.
func (r *running) await(n int, prefix string) []string {
	r.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if lines := r.said(prefix); len(lines) >= n {
			return lines
		}
	}
	r.t.Fatalf("no %d lines %q:\n%s", n, prefix, strings.Join(r.said(""), "\n"))
	return nil
}

// A line is the way between device and server: it hands on some bytes at a time, cuts, and can fall silent.
type line struct {
	net.Listener
	to    string
	chunk int           // bytes handed on at once; 0 is any
	pause time.Duration // between them

	mu     sync.Mutex
	conns  []net.Conn
	silent bool // nothing is handed on to the device any more
}

func newLine(t *testing.T, to string, chunk int, pause time.Duration) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	x := &line{Listener: l, to: to, chunk: chunk, pause: pause}
	t.Cleanup(func() {
		_ = l.Close()
		x.cut()
	})
	go x.serve()
	return x
}

func (x *line) serve() {
	for {
		device, err := x.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", x.to)
		if err != nil { // it is being started again
			_ = device.Close()
			continue
		}
		x.mu.Lock()
		x.conns = append(x.conns, device, server)
		x.mu.Unlock()
		go x.hand(server, device, false)
		go x.hand(device, server, true)
	}
}

func (x *line) hand(to, from net.Conn, down bool) {
	buf := make([]byte, 4096)
	if x.chunk > 0 {
		buf = buf[:x.chunk]
	}
	for {
		n, err := from.Read(buf)
		x.mu.Lock()
		silent := x.silent && down
		x.mu.Unlock()
		if !silent && n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
		time.Sleep(x.pause) // what makes it slow
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.silent { // else the device does not hear of the end either, and cut closes them
		_ = to.Close()
		_ = from.Close()
	}
}

func (x *line) cut() {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, c := range x.conns {
		_ = c.Close()
	}
	x.conns = nil
}

func (x *line) silence(on bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.silent = on
}
