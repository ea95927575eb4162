//go:build unix

package systemd

import (
	"errors"
	"os"
	"syscall"
)

func closeOnExec(fd int) { syscall.CloseOnExec(fd) }

// check says what is wrong with a descriptor. Package net would take a
// connection for a listener, and fail when it accepts.
func check(fd int) error {
	kind, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_TYPE)
	switch {
	case errors.Is(err, syscall.ENOTSOCK):
		return errNoSocket
	case err != nil:
		return os.NewSyscallError("getsockopt", err)
	case kind != syscall.SOCK_STREAM:
		return errNoStream
	}
	// Not all systems can tell; Linux and FreeBSD can.
	if listens, err := syscall.GetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN); err == nil && listens == 0 {
		return errConnection
	}
	addr, err := syscall.Getsockname(fd)
	if err != nil {
		return os.NewSyscallError("getsockname", err)
	}
	switch addr.(type) {
	case *syscall.SockaddrInet4, *syscall.SockaddrInet6, *syscall.SockaddrUnix:
		return nil
	}
	return errFamily
}
