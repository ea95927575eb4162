//go:build !unix

package ws

import (
	"errors"
	"net"
	"syscall"
)

// Without write(2) each connection that has something pending has a goroutine.

func rawConn(net.Conn) syscall.RawConn { return nil }

func tryWrite(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }

func waitWrite(syscall.RawConn, []byte) (int, error) { return 0, errors.ErrUnsupported }
