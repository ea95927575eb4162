package ws

import (
	"net"
	"syscall"
	"time"
)

// tcpUserTimeout is TCP_USER_TIMEOUT of tcp(7), which package syscall does not have on all architectures.
const tcpUserTimeout = 18

// setUserTimeout bounds how long what nc was written may go without an acknowledgement of its peer's kernel.
func setUserTimeout(nc net.Conn, d time.Duration) {
	nc = underneath(nc)
	if _, ok := nc.(*net.TCPConn); !ok {
		return
	}
	if raw := rawConn(nc); raw != nil { // it fails on one that is closed
		_ = raw.Control(func(fd uintptr) {
			_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(d.Milliseconds()))
		})
	}
}
