package loop

import (
	"net"
	"os"
	"syscall"
)

// Watch has s served from now on when fd has something, which may be before Watch returns. A loop that
// has ended returns net.ErrClosed.
func (l *Loop) Watch(fd int32, s Source) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	var slot int32
	if last := len(l.free) - 1; last >= 0 {
		slot = l.free[last]
		l.free = l.free[:last]
	} else {
		slot = int32(len(l.slots))
		l.slots = append(l.slots, nil)
	}
	n := s.node()
	n.loop, n.fd, n.slot = l, fd, slot
	if err := syscall.EpollCtl(l.epfd, syscall.EPOLL_CTL_ADD, int(fd), &syscall.EpollEvent{Events: edgeTriggered, Fd: slot}); err != nil {
		l.free = append(l.free, slot)
		return os.NewSyscallError("epoll_ctl", err)
	}
	l.slots[slot] = s
	return nil
}

// Unwatch ends that for a source whose descriptor stays open. It may still be served once.
func (l *Loop) Unwatch(s Source) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := s.node()
	if !l.closed && l.slots[n.slot] == s {
		_ = syscall.EpollCtl(l.epfd, syscall.EPOLL_CTL_DEL, int(n.fd), nil)
		l.forgetLocked(n.slot)
	}
}

// Forget is Unwatch for one whose descriptor is about to be closed, which says as much to epoll.
func (l *Loop) Forget(s Source) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := s.node(); !l.closed && l.slots[n.slot] == s {
		l.forgetLocked(n.slot)
	}
}

// Become has what a source was watched for concern another one, with the same
// descriptor, which is served next.
func (l *Loop) Become(old, s Source) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o, n := old.node(), s.node()
	n.loop, n.fd, n.slot = l, o.fd, o.slot
	l.slots[n.slot] = s
}

// forgetLocked frees a number, though not before the events of this turn are done: one
// of them may be of who had it.
func (l *Loop) forgetLocked(slot int32) {
	l.slots[slot] = nil
	l.freed = append(l.freed, slot)
}
