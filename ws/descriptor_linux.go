package ws

import (
	"errors"
	"net"
	"syscall"
	"unsafe"
)

// The event loop's system calls. Descriptors here never block, so the calls are
// short, and the scheduler is not told of them: that would cost as much as they do.

// epollNow is epoll_pwait(2) that returns at once.
func epollNow(epfd int, events []syscall.EpollEvent) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// rawIO is read(2) or write(2).
func rawIO(trap uintptr, fd int32, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// rawSend is send(2), which is a little less in the kernel than write(2) is.
func rawSend(fd int32, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// accept4 is accept4(2).
func accept4(fd int) (int32, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_ACCEPT4, uintptr(fd), 0, 0, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0)
	return int32(n), errno
}

// takeDescriptor takes a TCP connection away from Go's poller: its descriptor
// is duplicated and the original closed.
func takeDescriptor(nc net.Conn) (fd int, err error) {
	if b, ok := nc.(*begun); ok {
		if b.head.Len() > 0 {
			return -1, errors.ErrUnsupported
		}
		nc = b.TCPConn
	}
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return -1, errors.ErrUnsupported
	}
	fd, err = duplicate(tcp)
	if err == nil {
		_ = nc.Close() // the duplicate keeps the connection
	}
	return fd, err
}

// duplicate returns a descriptor of its own for a connection or a listener.
func duplicate(sc syscall.Conn) (fd int, err error) {
	raw, err := sc.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd = -1
	cerr := raw.Control(func(old uintptr) {
		n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, old, syscall.F_DUPFD_CLOEXEC, 0)
		if errno != 0 {
			err = errno
			return
		}
		fd = int(n)
	})
	if err = errors.Join(cerr, err); err != nil {
		return -1, err
	}
	return fd, nil
}

// tryDescriptor writes what the kernel takes of p.
func tryDescriptor(fd int32, p []byte) (n int, err error) {
	for {
		n, errno := rawSend(fd, p)
		switch errno {
		case 0:
			return n, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, nil
		default:
			return 0, errno
		}
	}
}

func closeDescriptor(fd int32)  { _ = syscall.Close(int(fd)) }
func cutDescriptor(fd int32)    { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) }
func hangUpDescriptor(fd int32) { _ = syscall.Shutdown(int(fd), syscall.SHUT_WR) }

// tuneDescriptor is what package net, and hijack, do to a connection.
func tuneDescriptor(fd int32, sendBuffer int) {
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, sendBuffer)
}

func widenDescriptor(fd int32, size int) {
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, size)
}

func peerOf(fd int32) net.Addr {
	sa, err := syscall.Getpeername(int(fd))
	if err != nil {
		return &net.TCPAddr{}
	}
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return &net.TCPAddr{IP: sa.Addr[:], Port: sa.Port}
	case *syscall.SockaddrInet6:
		return &net.TCPAddr{IP: sa.Addr[:], Port: sa.Port}
	}
	return &net.TCPAddr{}
}
