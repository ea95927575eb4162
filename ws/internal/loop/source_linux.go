package loop

import (
	"sync/atomic"
	"syscall"
)

// Events are what epoll says of a descriptor.
type Events uint32

const (
	Readable Events = syscall.EPOLLIN
	Writable Events = syscall.EPOLLOUT
	Urgent   Events = syscall.EPOLLPRI // a read may come back short though there is more
	PeerDone Events = syscall.EPOLLRDHUP
	Cut      Events = syscall.EPOLLHUP | syscall.EPOLLERR
)

// edgeTriggered: a descriptor is registered once, for everything. Each edge is
// reported once, and EPOLLOUT comes once what was full takes bytes again.
const edgeTriggered = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLPRI | syscall.EPOLLRDHUP | 1<<31 // EPOLLET, which package syscall has as a negative number

// A Source is something that a loop serves. It embeds a Node.
type Source interface {
	// Serve does a share of the work that there is, no more than its budget, and reports
	// whether there is more. events are what was reported since the last call; none if
	// it was called for Ready or because there was more.
	Serve(events Events) (more bool)
	node() *Node
}

// What a source is to the ready list.
const (
	idle    uint32 = iota
	queued         // on it
	serving        // in Serve
	again          // in Serve, and to be put there again
)

// A Node is a Source's place on a loop.
type Node struct {
	loop   *Loop
	fd     int32
	slot   int32
	events Events // not served yet; the loop's
	state  atomic.Uint32
}

func (n *Node) node() *Node { return n }

// Loop returns the loop that watches it.
func (n *Node) Loop() *Loop { return n.loop }

// Hold gives n its descriptor before Watch does.
func (n *Node) Hold(fd int32) { n.fd = fd }

// FD returns the descriptor.
func (n *Node) FD() int32 { return n.fd }

// Ready has s, whose node n is, served though there is no event. It may be called
// from any goroutine, and costs nothing while s is on the list.
func (n *Node) Ready(s Source) {
	if !n.mark() {
		return
	}
	l := n.loop
	l.mu.Lock()
	l.come = append(l.come, s)
	l.wakeLocked()
}

// mark notes that the source is to be served, and reports whether it is to be put on
// the list for that.
func (n *Node) mark() bool {
	for {
		switch old := n.state.Load(); old {
		case queued, again:
			return false
		case idle:
			if n.state.CompareAndSwap(idle, queued) {
				return true
			}
		case serving:
			if n.state.CompareAndSwap(serving, again) {
				return false
			}
		}
	}
}

// Settled says, within Serve, that all for which Ready was called so far is about to
// be seen to.
func (n *Node) Settled() { n.state.CompareAndSwap(again, serving) }
