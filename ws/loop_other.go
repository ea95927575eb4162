//go:build !linux

package ws

import (
	"net"
	"net/http"
)

// Without epoll every connection has the goroutine driver.
const canLoop = false

type (
	loop   struct{}
	lobby  struct{}
	ushers struct{}
)

// Listen returns l, from which http.Server.Serve is to accept.
func (rt *Router) Listen(l net.Listener) net.Listener { return l }

func (c *core) takeArrival(http.ResponseWriter) ([]byte, bool) { return nil, false }
func newUshers() (none ushers)                                 { return none }
func (b *lobby) check(uint32)                                  {}

func (rt *Router) startLoops() error { return nil }
func (l *loop) post(func())          {}
func (l *loop) wake()                {}
func (l *loop) nudge()               {}
func (l *loop) add(*core, []byte)    {}
func (l *loop) hear(*core)           {}
func (l *loop) atEnd(func() bool)    {}
