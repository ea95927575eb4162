package server

import (
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
func listenAll(addrs []string) (ls []net.Listener, err error) {
	for _, addr := range addrs {
		l, err := listen(addr)
		if err != nil {
			closeAll(ls)
			return nil, fmt.Errorf("server: listen on %s: %w", addr, err)
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

func listen(addr string) (net.Listener, error) {
	path, ok := strings.CutPrefix(addr, "unix:")
	if !ok {
		return net.Listen("tcp", addr)
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	return net.Listen("unix", path) // removes the file when it is closed
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
