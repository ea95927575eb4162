package admin

import (
	"fmt"
	"net"
	"syscall"
)

// peerCredentials returns the user, group and process that have connected (unix(7), SO_PEERCRED). In a
// user namespace those that it does not know are 65534.
func peerCredentials(c net.Conn) string {
	const unknown = "unknown"
	sc, ok := c.(syscall.Conn)
	if !ok {
		return unknown
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return unknown
	}
	text := unknown
	_ = raw.Control(func(fd uintptr) { // it fails on one that is closed
		if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
			text = fmt.Sprintf("uid %d gid %d pid %d", cred.Uid, cred.Gid, cred.Pid)
		}
	})
	return text
}
