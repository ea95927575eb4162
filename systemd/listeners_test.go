//go:build unix

package systemd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// In a process of its own the test binary takes what it was given, says what that
// is, and answers one connection on each. The real thing: descriptors of a parent.
func init() {
	switch os.Getenv("EDGECHAT_TEST_TAKES") {
	case "":
		return
	case "descriptors": // and starts something before they are closed
		files := descriptors(2)
		listOfChild()
		for _, f := range files {
			_, err := f.Stat()
			fmt.Println(f.Fd(), err)
		}
		os.Exit(0)
	}
	ls, err := Listeners()
	failed := err != nil
	if failed {
		fmt.Println(err)
	}
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if v, ok := os.LookupEnv(name); ok {
			fmt.Println(name, "is still", v)
		}
	}
	for _, l := range ls {
		fmt.Println(l.Name, l.Addr().Network(), l.Addr())
	}
	listOfChild()
	if failed {
		os.Exit(1)
	}
	for _, l := range ls {
		c, err := l.Accept()
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		_, _ = io.WriteString(c, "hello from "+l.Name)
		_ = c.Close()
		_ = l.Close()
	}
	os.Exit(0)
}

// listOfChild prints which of our descriptors what we start has: the shell lists its own.
func listOfChild() {
	out, err := exec.Command("sh", "-c", "for fd in 3 4 5 6 7 8 9; do (: <&$fd) 2>/dev/null && echo child has $fd; done; true").Output()
	fmt.Print(string(out))
	if err != nil {
		fmt.Println(err)
	}
}

// hand starts this binary with files from descriptor 3 on, as a service manager does.
// LISTEN_PID is known only in the process itself, hence the shell.
func hand(t *testing.T, names, pid string, files ...*os.File) (output string, err error) {
	t.Helper()
	return handTo(t, "listeners", names, pid, files...)
}

// handTo is hand with what the process is to do with them.
func handTo(t *testing.T, what, names, pid string, files ...*os.File) (output string, err error) {
	t.Helper()
	cmd := exec.Command("sh", "-c", `LISTEN_PID=`+pid+` exec "$0"`, os.Args[0])
	cmd.ExtraFiles = files
	cmd.Env = append(os.Environ(), "EDGECHAT_TEST_TAKES="+what, fmt.Sprint("LISTEN_FDS=", len(files)), "LISTEN_FDNAMES="+names)
	timer := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func fileOf(t *testing.T, c interface{ File() (*os.File, error) }) *os.File {
	t.Helper()
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestListeners(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	path := filepath.Join(t.TempDir(), "chat.sock")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close()
	files := []*os.File{fileOf(t, tcp.(*net.TCPListener)), fileOf(t, unix.(*net.UnixListener))}

	for round, names := range []string{"web:local", "web"} { // the sockets outlive who was given them
		// They are there already when the process starts.
		var conns []net.Conn
		for _, l := range []net.Listener{tcp, unix} {
			c, err := net.Dial(l.Addr().Network(), l.Addr().String())
			if err != nil {
				t.Fatalf("round %d: %v", round, err)
			}
			defer c.Close()
			conns = append(conns, c)
		}
		out, err := hand(t, names, "$$", files...)
		_, second, _ := strings.Cut(names, ":") // a name may be missing
		want := fmt.Sprintf("web tcp %s\n%s unix %s\n", tcp.Addr(), second, path)
		if err != nil || out != want {
			t.Errorf("round %d: output %q, %v; want %q", round, out, err, want)
		}
		for i, name := range []string{"web", second} {
			_ = conns[i].SetDeadline(time.Now().Add(30 * time.Second))
			if said, err := io.ReadAll(conns[i]); string(said) != "hello from "+name {
				t.Errorf("round %d: %s was answered %q, %v", round, name, said, err)
			}
		}
		if _, err := os.Stat(path); err != nil {
			t.Errorf("round %d: the socket file is gone: %v", round, err)
		}
	}
}

// A process that is started while Listeners looks at what it was given has none of it.
func TestDescriptorsAreNotInherited(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f := fileOf(t, l.(*net.TCPListener))
	out, err := handTo(t, "descriptors", "", "$$", f, f)
	if want := "3 <nil>\n4 <nil>\n"; err != nil || out != want {
		t.Errorf("output %q, %v; want %q", out, err, want)
	}
}

// What was meant for another process is left alone.
func TestListenersOfOthers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, pid := range []string{"1", "x", ""} {
		if out, err := hand(t, "web", pid, fileOf(t, l.(*net.TCPListener))); err != nil || strings.Contains(out, "tcp") {
			t.Errorf("LISTEN_PID=%s: %q, %v", pid, out, err)
		}
	}
	t.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
	for _, n := range []string{"x", "-1", "100000"} {
		t.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
		t.Setenv("LISTEN_FDS", n)
		_, err := Listeners()
		wantErr(t, n, err, "LISTEN_FDS", `"`+n+`"`)
		wantUnset(t, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")
	}
}

// Anything but a socket that listens for streams is refused by name.
func TestListenersWrong(t *testing.T) {
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	good, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close()
	conn, err := net.Dial("tcp", good.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	gram, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "gram")})
	if err != nil {
		t.Fatal(err)
	}
	defer gram.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	fine := fileOf(t, good.(*net.TCPListener))
	for _, c := range []struct {
		what string
		file *os.File
		want string
	}{
		{"a pipe", r, "no socket"},
		{"UDP", fileOf(t, udp), "no stream socket: the .socket unit needs ListenStream="},
		{"a unix datagram socket", fileOf(t, gram), "no stream socket"},
		{"a connection", fileOf(t, conn.(*net.TCPConn)), "needs Accept=no"},
	} {
		out, err := hand(t, "good:odd", "$$", fine, c.file)
		if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 ||
			!strings.Contains(out, `descriptor 4 ("odd") cannot be listened on: `) || !strings.Contains(out, c.want) || strings.Contains(out, "child has") {
			t.Errorf("%s: %q, %v; want %q", c.what, out, err, c.want)
		}
	}
	// No descriptor at all.
	if err := check(1 << 20); !errors.Is(err, syscall.EBADF) {
		t.Errorf("no descriptor: %v", err)
	}
}
