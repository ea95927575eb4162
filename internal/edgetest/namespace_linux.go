package edgetest

import (
	"net"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A Net is a network of the test's own (network_namespaces(7)), in which all of 192.0.2.0/24 is this machine: its
// clients come from as many addresses as they like. It ends with the test.
type Net struct {
	t    testing.TB
	work chan func()
}

// NewNet returns a Net. Where that is not allowed it skips the test.
func NewNet(t testing.TB) *Net {
	t.Helper()
	n, err := TryNet(t)
	if err != nil {
		t.Skipf("no network of the test's own: %v", err)
	}
	return n
}

// TryNet returns a Net, or why that is not allowed.
func TryNet(t testing.TB) (*Net, error) {
	t.Helper()
	n := &Net{t: t, work: make(chan func())}
	begun := make(chan error)
	go func() { // ends with the test, and its thread with it, which is of no use to others
		runtime.LockOSThread()
		begun <- enterNet()
		for f := range n.work {
			f()
		}
	}()
	t.Cleanup(func() { close(n.work) })
	switch err := <-begun; err {
	case nil:
	case syscall.EPERM, syscall.ENOSYS, syscall.EINVAL:
		return nil, err
	default:
		t.Fatal(err)
	}
	return n, nil
}

// enterNet takes this thread to a network of its own and gives that addresses.
func enterNet() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return err
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	set := func(name string, request uint, change func(*unix.Ifreq) error) error { // netdevice(7)
		req, err := unix.NewIfreq(name)
		if err == nil {
			err = change(req)
		}
		if err == nil {
			err = unix.IoctlIfreq(s, request, req)
		}
		return err
	}
	if err := set("lo", unix.SIOCSIFFLAGS, func(r *unix.Ifreq) error {
		r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOOPBACK)
		return nil
	}); err != nil {
		return err
	}
	// A whole prefix on a loopback device is local.
	if err := set("lo:1", unix.SIOCSIFADDR, func(r *unix.Ifreq) error { return r.SetInet4Addr([]byte{192, 0, 2, 1}) }); err != nil {
		return err
	}
	return set("lo:1", unix.SIOCSIFNETMASK, func(r *unix.Ifreq) error { return r.SetInet4Addr([]byte{255, 255, 255, 0}) })
}

// Do runs f, which may open sockets, in the network.
func (n *Net) Do(f func()) {
	done := make(chan struct{})
	n.work <- func() { defer close(done); f() }
	<-done
}

// Listen listens on a free port of all its addresses.
func (n *Net) Listen() net.Listener {
	n.t.Helper()
	var l net.Listener
	var err error
	n.Do(func() { l, err = net.Listen("tcp4", "0.0.0.0:0") })
	if err != nil {
		n.t.Fatal(err)
	}
	return l
}

// Dial connects to what listens there, from "192.0.2.7", say.
func (n *Net) Dial(from string, to net.Listener) (net.Conn, error) {
	return n.DialPort(from, to.Addr().(*net.TCPAddr).Port)
}

// DialPort is Dial to a port.
func (n *Net) DialPort(from string, port int) (c net.Conn, err error) {
	// net.Dialer has the connection made by a goroutine of its own where there are several addresses; here there is one.
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, FallbackDelay: -1}
	addr := &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: port}
	n.Do(func() { c, err = d.Dial("tcp4", addr.String()) })
	return c, err
}
