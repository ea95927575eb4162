package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// listenAll opens a listener for each address, or none.
func listenAll(addrs []string, mode fs.FileMode) (ls []net.Listener, err error) {
	for _, addr := range addrs {
		l, err := listen(addr, mode)
		if err != nil {
			closeAll(ls)
			return nil, err
		}
		ls = append(ls, l)
	}
	return ls, nil
}

func closeAll(ls []net.Listener) {
	for _, l := range ls {
		l.Close()
	}
}

// listen opens a listener. The error names addr.
func listen(addr string, mode fs.FileMode) (net.Listener, error) {
	l, err := open(addr, mode)
	if err != nil {
		return nil, fmt.Errorf("server: listen on %s: %w", addr, err)
	}
	return l, nil
}

func open(addr string, mode fs.FileMode) (net.Listener, error) {
	path, ok := strings.CutPrefix(addr, "unix:")
	if !ok {
		return net.Listen("tcp", addr)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	// The file has at most this mode from the moment on in which it is there: on Linux bind(2) takes it from the
	// socket, less the umask, and chmod(2) adds what that took.
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { _ = syscall.Fchmod(int(fd), uint32(mode)) }) // elsewhere it fails
	}}
	l, err := lc.Listen(context.Background(), "unix", path) // removes the file when it is closed
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, mode); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// removeStale takes away the socket file of a server that was killed. A socket
// on which somebody listens, or a file that is no socket, stays, and is an error.
func removeStale(path string) error {
	st, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case st.Mode().Type() != fs.ModeSocket:
		return &fs.PathError{Op: "listen", Path: path, Err: errors.New("a file that is no socket is in the way")}
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return &net.OpError{Op: "listen", Net: "unix", Addr: &net.UnixAddr{Name: path, Net: "unix"}, Err: syscall.EADDRINUSE}
	}
	// Only a refusal says that nobody is there (connect(2)): a full backlog is
	// EAGAIN, a socket of somebody else EACCES.
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}
