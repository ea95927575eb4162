package hostile

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

var (
	program = flag.String("edgechat", "", "the `program` that is tested, in place of cmd/edgechat as it is now")
	mobbed  = flag.Duration("mob", 10*time.Second, "how long a mob goes on")
	long    = flag.Duration("long", 0, "how long a pair of people is measured; default 2 s")
)

// The program is built as it is released: with -race its times and its memory would say nothing.
func TestMain(m *testing.M) {
	flag.StringVar(&clients, "clients", "", "the `program` that does tasks, in place of this one without the race detector")
	flag.Parse()
	if testing.Short() {
		return // it takes a minute, and a machine that is not emulated
	}
	if *long == 0 {
		*long = 2 * time.Second
	}
	folder, err := os.MkdirTemp("", "hostile")
	build := func(name string, args ...string) string {
		path := filepath.Join(folder, name)
		cmd := exec.Command("go", append(args, "-o", path)...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err == nil {
			err = cmd.Run()
		}
		return path
	}
	if *program == "" {
		*program = build("edgechat", "build", "-C", "../../../cmd/edgechat", "-trimpath")
	}
	if edgetest.Race && clients == "" {
		clients = build("clients", "test", "-c")
	}
	code := 1
	if err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
	} else if err = alone(); err != nil {
		fmt.Fprintln(os.Stderr, "lock:", err)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// alone waits until nobody else on this machine measures, and has others wait until this process has ended: servers of
// two suites would be on one processor, each with the same precedence over all else, and each would measure the other.
func alone() (err error) {
	if measuring, err = os.Open(os.TempDir()); err != nil {
		return err
	}
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		err := syscall.Flock(int(measuring.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Since(began) > 20*time.Minute {
			return os.NewSyscallError("flock "+measuring.Name(), err)
		}
	}
}

var measuring *os.File // what alone has locked, until the process ends

func serve(t *testing.T, env ...string) *Server {
	t.Helper()
	return Serve(t, *program, append(edgetest.NoLimits(), env...)...)
}

// wait gives a load its time.
func wait() { time.Sleep(*long) }
