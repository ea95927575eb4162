//go:build !linux

package ws

import (
	"net"
	"net/http"
	"net/netip"
)

// Without epoll every connection has the goroutine driver, and net/http accepts.

type (
	reactor struct{}
	lobby   struct{}
)

func (rt *Router) startReactors() error                     { return nil }
func (rt *Router) openDoor(net.Listener, bool) net.Listener { return nil }
func (c *core) takeArrival(http.ResponseWriter) bool        { return false }
func (c *core) moveToLoop(net.Conn, []byte) bool            { return false }
func (b *lobby) check(uint32)                               {}
func (b *lobby) len() int                                   { return 0 }
func (b *lobby) peers(map[netip.Addr]int)                   {}
func (r *reactor) Stop()                                    {}
func (r *reactor) count(*Stats)                             {}
func (r *reactor) Post(func()) bool                         { return false }
