//go:build !linux

package ws

import (
	"errors"
	"net"
)

func takeDescriptor(net.Conn) (int, error)     { return -1, errors.ErrUnsupported }
func tryDescriptor(int32, []byte) (int, error) { return 0, errors.ErrUnsupported }
func closeDescriptor(int32)                    {}
func cutDescriptor(int32)                      {}
func hangUpDescriptor(int32)                   {}
func widenDescriptor(int32, int)               {}
func peerOf(int32) net.Addr                    { return nil }
