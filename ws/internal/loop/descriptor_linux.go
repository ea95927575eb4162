package loop

import (
	"errors"
	"net/netip"
	"syscall"
	"unsafe"
)

// The system calls of what is on a loop. Descriptors here never block, so the calls are
// short, and the scheduler is not told of them: that would cost as much as they do.

// epollNow is epoll_pwait(2) that returns at once.
func epollNow(epfd int, events []syscall.EpollEvent) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// Read is read(2).
func Read(fd int32, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// Try writes what the kernel takes of p without waiting, which may be nothing. It is send(2),
// a little less in the kernel than write(2).
func Try(fd int32, p []byte) (int, error) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), syscall.MSG_NOSIGNAL, 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, nil
		default:
			return 0, errno
		}
	}
}

// accept is accept4(2).
func accept(fd int32) (int32, netip.AddrPort, syscall.Errno) {
	var raw syscall.RawSockaddrAny
	size := uint32(unsafe.Sizeof(raw))
	n, _, errno := syscall.RawSyscall6(syscall.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)), syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, netip.AddrPort{}, errno
	}
	return int32(n), addrPort(&raw), 0
}

func addrPort(raw *syscall.RawSockaddrAny) netip.AddrPort {
	port := func(p *uint16) uint16 { // in network order
		b := (*[2]byte)(unsafe.Pointer(p))
		return uint16(b[0])<<8 | uint16(b[1])
	}
	switch raw.Addr.Family {
	case syscall.AF_INET:
		sa := (*syscall.RawSockaddrInet4)(unsafe.Pointer(raw))
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), port(&sa.Port))
	case syscall.AF_INET6:
		sa := (*syscall.RawSockaddrInet6)(unsafe.Pointer(raw))
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), port(&sa.Port))
	}
	return netip.AddrPort{}
}

// Peer returns the address of fd's peer; the zero AddrPort if it is gone.
func Peer(fd int32) netip.AddrPort {
	var raw syscall.RawSockaddrAny
	size := uint32(unsafe.Sizeof(raw))
	_, _, errno := syscall.RawSyscall(syscall.SYS_GETPEERNAME, uintptr(fd), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return netip.AddrPort{}
	}
	return addrPort(&raw)
}

// Duplicate returns a descriptor of its own for a connection or a listener.
func Duplicate(sc syscall.Conn) (fd int32, err error) {
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
		fd = int32(n)
	})
	if err = errors.Join(cerr, err); err != nil {
		return -1, err
	}
	return fd, nil
}

// Close closes a descriptor that no loop watches any more, or that it was told to forget.
func Close(fd int32) { _ = syscall.Close(int(fd)) }

// CutOff ends reading and writing: whoever watches fd sees its end.
func CutOff(fd int32) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) }

// HangUp ends writing.
func HangUp(fd int32) { _ = syscall.Shutdown(int(fd), syscall.SHUT_WR) }

// SetSendBuffer bounds what the kernel holds for the peer of fd, in bytes. A
// listener hands it on to what it accepts (tcp(7) has this of all socket options).
func SetSendBuffer(fd int32, size int) {
	_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF, size) // a smaller bound is a wish, not a need
}

// SetNoDelay has small writes sent at once, as package net does. A listener hands that on, too.
func SetNoDelay(fd int32) {
	_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
}
