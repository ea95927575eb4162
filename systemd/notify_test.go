package systemd

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func notifier(t *testing.T) *Notifier {
	t.Helper()
	n, err := NewNotifier()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Each state is one datagram with these bytes, on a socket with a path and on an
// abstract one.
func TestNotify(t *testing.T) {
	names := []string{""}
	if runtime.GOOS == "linux" {
		names = append(names, fmt.Sprintf("@edgechat-test-%d", os.Getpid()))
	}
	for _, name := range names {
		m := listen(t, name)
		n := notifier(t)
		wantUnset(t, "NOTIFY_SOCKET")
		for _, c := range []struct {
			send func() error
			want string
		}{
			{func() error { return n.Ready("12 connections") }, "READY=1\nSTATUS=12 connections"},
			{func() error { return n.Status("a\nREADY=1\xff\x00é") }, "STATUS=a READY=1? é"},
			{n.Stopping, "STOPPING=1"},
			{n.Alive, "WATCHDOG=1"},
			{func() error { return n.Extend(1500 * time.Millisecond) }, "EXTEND_TIMEOUT_USEC=1500000\nWATCHDOG=1"},
		} {
			if err := c.send(); err != nil {
				t.Error(err)
			}
			if got := m.next(); got != c.want {
				t.Errorf("datagram %q, want %q", got, c.want)
			}
		}
	}
}

// The time of a reload is that of the clock by which the manager measures.
func TestReloading(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("there is no service manager")
	}
	uptime := func() float64 { // of CLOCK_BOOTTIME, which is the same on a machine that never slept
		raw, err := os.ReadFile("/proc/uptime")
		if err != nil {
			t.Skip(err)
		}
		s, err := strconv.ParseFloat(strings.Fields(string(raw))[0], 64)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	m := listen(t, "")
	if err := notifier(t).Reloading(); err != nil {
		t.Fatal(err)
	}
	first, usec, ok := strings.Cut(m.next(), "\nMONOTONIC_USEC=")
	if n, err := strconv.ParseInt(usec, 10, 64); first != "RELOADING=1" || !ok || err != nil {
		t.Fatalf("datagram %q %q", first, usec)
	} else if s := float64(n) / 1e6; s < 1 || s > uptime()+1 {
		t.Errorf("%f s since the start of the machine, which is up for %f s", s, uptime())
	}
	before := monotonic()
	time.Sleep(20 * time.Millisecond)
	if d := monotonic() - before; d < 20*time.Millisecond || d > 10*time.Second {
		t.Errorf("20 ms took %v", d)
	}
}

func TestNoManager(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	n := notifier(t)
	if n != nil {
		t.Errorf("a notifier without a socket: %+v", n)
	}
	for _, err := range []error{n.Ready("x"), n.Status("x"), n.Reloading(), n.Stopping(), n.Alive(), n.Extend(1)} {
		if err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"notify", "@", "vsock:2:1234"} {
		t.Setenv("NOTIFY_SOCKET", name)
		n, err := NewNotifier()
		wantErr(t, name, err, strconv.Quote(name), "absolute path")
		if n != nil {
			t.Errorf("%s: a notifier", name)
		}
		wantUnset(t, "NOTIFY_SOCKET")
	}
	// A manager that is gone is an error, and one that is back is found.
	m := listen(t, "")
	n = notifier(t)
	m.c.Close()
	wantErr(t, "nobody there", n.Alive(), "send WATCHDOG=1", "connect")
}

// A manager that takes nothing holds nobody for long.
func TestManagerBusy(t *testing.T) {
	m := listen(t, "")
	n := notifier(t)
	began := time.Now()
	var err error
	for range 10_000 { // net.unix.max_dgram_qlen is 10 to 512
		if err = n.Alive(); err != nil {
			break
		}
	}
	wantErr(t, "a full queue", err, "send WATCHDOG=1")
	if d := time.Since(began); d > 5*sendTimeout {
		t.Errorf("it took %v", d)
	}
	m.next()
	if err := n.Alive(); err != nil {
		t.Errorf("when it takes something again: %v", err)
	}
}

func TestWatchdog(t *testing.T) {
	pid := strconv.Itoa(os.Getpid())
	for _, c := range []struct {
		usec, pid string
		want      time.Duration // -1 for an error
	}{
		{"30000000", pid, 30 * time.Second}, {"30000000", "", 30 * time.Second}, {"1", pid, time.Microsecond},
		{"", pid, 0}, {"30000000", strconv.Itoa(syscall.Getppid()), 0}, {"30000000", "x", 0},
		{"30s", pid, -1}, {"-1", pid, -1}, {"0", pid, -1}, {"18446744073709551615", pid, -1}, {"9223372036854775807", pid, -1},
	} {
		t.Setenv("WATCHDOG_USEC", c.usec)
		t.Setenv("WATCHDOG_PID", c.pid)
		d, err := Watchdog()
		if c.want < 0 {
			wantErr(t, c.usec, err, "WATCHDOG_USEC", strconv.Quote(c.usec))
		} else if d != c.want || err != nil {
			t.Errorf("WATCHDOG_USEC=%s WATCHDOG_PID=%s: %v, %v; want %v", c.usec, c.pid, d, err, c.want)
		}
		wantUnset(t, "WATCHDOG_USEC", "WATCHDOG_PID")
	}
}
