package edgetest

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// Main runs the tests of a package and fails it if goroutines are left over,
// with their stacks. after is called once the tests have run. It is called by TestMain.
func Main(m *testing.M, after ...func()) {
	code := m.Run()
	for _, f := range after {
		f()
	}
	if code == 0 {
		if left := Leaked(5 * time.Second); left != "" {
			fmt.Fprintf(os.Stderr, "leaked goroutines:\n%s\n", left)
			code = 1
		}
	}
	os.Exit(code)
}

// Leaked returns the stacks of goroutines that are neither the runtime's nor those
// of package testing, once they had this long to end.
func Leaked(patience time.Duration) string {
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		left := interesting()
		if left == "" || time.Now().After(end) {
			return left
		}
	}
}

func interesting() string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	var left []string
	for i, stack := range strings.Split(string(buf), "\n\n") {
		switch {
		case i == 0: // this one
		case strings.Contains(stack, "testing.(*T).Run("), strings.Contains(stack, "testing.tRunner("), strings.Contains(stack, "testing.(*F).Fuzz("), strings.Contains(stack, "testing.runFuzz"):
		case strings.Contains(stack, "os/signal.signal_recv"), strings.Contains(stack, "runtime.ensureSigM"):
		case strings.Contains(stack, "net/http.(*persistConn)"): // http.DefaultClient's, which idle
		default:
			left = append(left, stack)
		}
	}
	return strings.Join(left, "\n\n")
}
