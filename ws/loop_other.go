//go:build !linux

package ws

// Without epoll every connection has the goroutine driver.
const canLoop = false

type loop struct{}

func (rt *Router) startLoops() error { return nil }
func (l *loop) post(func())          {}
func (l *loop) wake()                {}
func (l *loop) nudge()               {}
func (l *loop) add(*core, []byte)    {}
func (l *loop) atEnd(func())         {}
