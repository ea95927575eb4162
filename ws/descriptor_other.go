//go:build !linux

package ws

import (
	"errors"
	"net"
)

func takeDescriptor(net.Conn) (int, error)   { return -1, errors.ErrUnsupported }
func tryDescriptor(int, []byte) (int, error) { return 0, errors.ErrUnsupported }
func cutDescriptor(int)                      {}
func hangUpDescriptor(int)                   {}
func widenDescriptor(int, int)               {}
func peerOf(int) net.Addr                    { return nil }
