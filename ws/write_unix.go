//go:build unix

package ws

import (
	"io"
	"net"
	"sync"
	"syscall"
)

// An attempt is one write(2). It is pooled with its method value, so that
// trying costs no allocation.
type attempt struct {
	p    []byte
	n    int
	err  error
	wait bool
	do   func(fd uintptr) (done bool)
}

var attempts = sync.Pool{New: func() any {
	a := new(attempt)
	a.do = a.write
	return a
}}

func (a *attempt) write(fd uintptr) (done bool) {
	for {
		a.n, a.err = syscall.Write(int(fd), a.p)
		switch a.err {
		case nil:
			return true
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			a.n, a.err = 0, nil
			return !a.wait // false has Go's poller wait until fd is writable
		}
		return true
	}
}

// rawConn returns what tryWrite needs, or nil if nc cannot be written
// without waiting, as TLS cannot.
func rawConn(nc net.Conn) syscall.RawConn {
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// tryWrite writes what the kernel takes of p without waiting, 0 included.
func tryWrite(raw syscall.RawConn, p []byte) (n int, err error) { return rawWrite(raw, p, false) }

// waitWrite waits until the kernel takes some of p.
func waitWrite(raw syscall.RawConn, p []byte) (n int, err error) {
	n, err = rawWrite(raw, p, true)
	if n == 0 && err == nil {
		err = io.ErrNoProgress
	}
	return n, err
}

func rawWrite(raw syscall.RawConn, p []byte, wait bool) (n int, err error) {
	a := attempts.Get().(*attempt)
	a.p, a.n, a.err, a.wait = p, 0, nil, wait
	err = raw.Write(a.do)
	if err == nil {
		n, err = a.n, a.err
	}
	a.p = nil
	attempts.Put(a)
	return max(n, 0), err
}
