package loop

import (
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
)

// acceptBatch is how many connections a door takes in a turn at most.
const acceptBatch = 64

// A Door is a listener from which a loop accepts.
type Door struct {
	Node

	// Took is called on the loop with each connection that was accepted.
	Took func(fd int32, peer netip.AddrPort)
	// Short is called on the loop when there is no descriptor, or no memory, for one
	// more connection. None is accepted before Retry.
	Short func(err error)
	// Failed is called on the loop when nothing can be accepted any more.
	Failed func(err error)

	// Early is called before Took with each connection that may have been there before the
	// listener had its socket options, which it hands on to those that come.
	Early func(fd int32)

	caughtUp bool
	short    atomic.Bool
}

// Serve accepts.
func (d *Door) Serve(Events) (more bool) {
	if d.short.Load() {
		return false
	}
	for range acceptBatch {
		fd, peer, errno := accept(d.fd)
		switch errno {
		case 0:
			if !d.caughtUp {
				d.Early(fd)
			}
			d.Took(fd, peer)
		case syscall.EAGAIN:
			d.caughtUp = true
			return false
		case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
			d.short.Store(true)
			d.Short(os.NewSyscallError("accept4", errno))
			return false
		case syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK, syscall.EOPNOTSUPP:
			d.Failed(os.NewSyscallError("accept4", errno))
			return false
		}
		// The rest are errors of one connection that is gone already (accept(2)).
	}
	return true
}

// Retry has a door that was short of descriptors accept again. It may be called from any
// goroutine.
func (d *Door) Retry() {
	if d.short.CompareAndSwap(true, false) {
		d.Ready(d)
	}
}
