//go:build !linux

package ws

import (
	"errors"
	"net"
)

// Without epoll every connection has the goroutine driver.
const canLoop = false

type loop struct{}

func (rt *Router) startLoops() error { return nil }
func (l *loop) post(func())          {}
func (l *loop) wake()                {}
func (l *loop) add(*core)            {}
func (l *loop) atEnd(func())         {}

func takeDescriptor(net.Conn) (int, error)   { return -1, errors.ErrUnsupported }
func tryDescriptor(int, []byte) (int, error) { return 0, errors.ErrUnsupported }
func cutDescriptor(int)                      {}
func hangUpDescriptor(int)                   {}
func widenDescriptor(int, int)               {}
func peerOf(int) net.Addr                    { return nil }
