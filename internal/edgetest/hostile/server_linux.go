package hostile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Server is "edgechat serve" as a process of its own, with its data in a folder of the test's.
type Server struct {
	Addr string // "127.0.0.1:41234"

	t      testing.TB
	cmd    *exec.Cmd
	stderr string // the file that it logs to
	ended  bool
}

// Serve starts program with these settings of the environment beside its address and its data,
// and returns once it listens. It ends with the test if it was not ended before.
func Serve(t testing.TB, program string, env ...string) *Server {
	t.Helper()
	s := logged(t, program, here, serverPlace, append([]string{"EDGECHAT_LISTEN=127.0.0.1:0"}, env...))
	s.Addr = s.await(`msg=listening addr=(127\.0\.0\.1:\d+)`)
	return s
}

// ServeIn is Serve in a network, at all of its addresses and on all processors. Addr is that at host.
func ServeIn(t testing.TB, in Network, program, host string, env ...string) *Server {
	t.Helper()
	s := logged(t, program, in, besetPlace, append([]string{"EDGECHAT_LISTEN=0.0.0.0:0"}, env...))
	s.Addr = host + ":" + s.await(`msg=listening addr=\S*:(\d+)`)
	return s
}

// logged starts a server that logs to a file.
func logged(t testing.TB, program string, in Network, where place, env []string) *Server {
	t.Helper()
	path := filepath.Join(t.TempDir(), "log")
	log, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s := &Server{t: t, stderr: path}
	s.start(program, in, where, log, env)
	return s
}

// ServeUnread is Serve for a server whose log is a pipe that nobody reads, and which so cannot say where it listens: at addr.
func ServeUnread(t testing.TB, program, addr string, env ...string) *Server {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	defer w.Close()
	s := &Server{t: t, Addr: addr, stderr: os.DevNull}
	s.start(program, here, serverPlace, w, append([]string{"EDGECHAT_LISTEN=" + s.Addr}, env...))
	for end := time.Now().Add(patience); healthz(s.Addr) != nil; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it does not listen")
		}
	}
	return s
}

func (s *Server) start(program string, in Network, where place, stderr *os.File, env []string) {
	s.t.Helper()
	s.cmd = exec.Command(program, "serve")
	s.cmd.Stderr = stderr
	s.cmd.Env = append(append(os.Environ(), "EDGECHAT_DATA="+filepath.Join(s.t.TempDir(), "data")), env...)
	var err error
	if in(func() { err = start(s.cmd, where) }); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if !s.ended {
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
	})
}

// await waits until the log matches, and returns the first group.
func (s *Server) await(expression string) string {
	s.t.Helper()
	re := regexp.MustCompile(expression)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if m := re.FindStringSubmatch(s.Log()); m != nil {
			return m[len(m)-1]
		}
	}
	s.t.Fatalf("the log does not match %s:\n%s", expression, s.Log())
	return ""
}

// Log returns what the server has logged.
func (s *Server) Log() string {
	s.t.Helper()
	p, err := os.ReadFile(s.stderr)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(p)
}

// PID returns its process ID.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Signal sends it a signal.
func (s *Server) Signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// Stop ends it in order, and fails the test if it had something to complain about.
func (s *Server) Stop() {
	s.t.Helper()
	s.Signal(syscall.SIGTERM)
	s.ended = true
	if err := s.cmd.Wait(); err != nil {
		s.t.Fatalf("%v\n%s", err, s.Log())
	}
}

// Kill ends it as a crash does: nothing is written any more.
func (s *Server) Kill() {
	s.t.Helper()
	s.Signal(syscall.SIGKILL)
	s.ended = true
	_ = s.cmd.Wait()
}

// Goroutines ends it, and returns the stacks of its goroutines.
func (s *Server) Goroutines() []string {
	s.t.Helper()
	s.Signal(syscall.SIGQUIT)
	s.ended = true
	_ = s.cmd.Wait()
	var stacks []string
	for part := range strings.SplitSeq(s.Log(), "\n\n") {
		if strings.HasPrefix(part, "goroutine ") {
			stacks = append(stacks, part)
		}
	}
	return stacks
}

// Descriptors returns how many it has open.
func (s *Server) Descriptors() int {
	s.t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.PID()))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(list)
}

// RSS returns what it has resident, in bytes.
func (s *Server) RSS() int64 { s.t.Helper(); return s.status("VmRSS") }

// PeakRSS returns the most that it had resident since it began, or since ForgetPeak, in bytes.
func (s *Server) PeakRSS() int64 { s.t.Helper(); return s.status("VmHWM") }

// ForgetPeak has PeakRSS begin anew (proc_pid_clear_refs(5)).
func (s *Server) ForgetPeak() {
	s.t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.PID()), []byte("5"), 0); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) status(field string) int64 {
	s.t.Helper()
	p, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID()))
	if err != nil {
		s.t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(p), field+":")
	kB, err := strconv.ParseInt(strings.Fields(text + " ?")[0], 10, 64)
	if err != nil {
		s.t.Fatalf("no %s in %s", field, p)
	}
	return kB << 10
}

// Processors returns for how long its threads have run, and for how long they have waited to run.
func (s *Server) Processors() (ran, waited time.Duration) {
	s.t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.PID())) // Documentation/scheduler/sched-stats.rst
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range threads {
		p, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		var r, w time.Duration
		if _, err := fmt.Sscan(string(p), &r, &w); err != nil {
			s.t.Fatalf("%s: %q: %v", name, p, err)
		}
		ran, waited = ran+r, waited+w
	}
	return ran, waited
}

// Queues returns the bytes that the kernel holds of each connection of this server: sent and not
// acknowledged by the client's kernel, and received and not read (proc_net(5)).
func (s *Server) Queues() (sent, received []int64) {
	s.t.Helper()
	p, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		s.t.Fatal(err)
	}
	_, port, _ := strings.Cut(s.Addr, ":")
	n, err := strconv.Atoi(port)
	if err != nil {
		s.t.Fatal(err)
	}
	local := fmt.Sprintf("0100007F:%04X", n)
	for line := range strings.Lines(string(p)) {
		f := strings.Fields(line)
		if len(f) < 5 || f[1] != local || f[3] == "0A" { // listening
			continue
		}
		var tx, rx int64
		if _, err := fmt.Sscanf(f[4], "%x:%x", &tx, &rx); err != nil {
			s.t.Fatalf("%q: %v", line, err)
		}
		sent, received = append(sent, tx), append(received, rx)
	}
	return sent, received
}
