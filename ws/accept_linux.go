package ws

import (
	"bytes"
	"net"
	"slices"
	"syscall"
)

// acceptBatch is how many connections a turn accepts at most.
const acceptBatch = 64

// enter has the loop accept from d.
func (l *loop) enter(d *door) {
	l.doors = append(l.doors, d)
	l.rt.lobby.open(d)
	l.watchDoor(d)
}

func (l *loop) watchDoor(d *door) {
	if !slices.Contains(l.doors, d) {
		return
	}
	if err := l.watch(int32(d.fd), syscall.EPOLL_CTL_ADD, syscall.EPOLLIN, asDoor); err != nil {
		d.fail(&net.OpError{Op: "accept", Net: "tcp", Addr: d.Addr(), Err: err})
	}
}

// leave accepts from d no more.
func (l *loop) leave(d *door) {
	i := slices.Index(l.doors, d)
	if i < 0 {
		return
	}
	l.doors = slices.Delete(l.doors, i, i+1)
	l.rt.lobby.shut(d)
	l.unwatch(int32(d.fd))
	_ = syscall.Close(d.fd)
	close(d.left)
}

// accept takes in those who stand before the door.
func (l *loop) accept(d *door) {
	for range acceptBatch {
		fd, errno := accept4(d.fd)
		switch errno {
		case 0:
			n := newcomer{d, l.rt.nextLoop(), l.rt.tick.Load()}
			if l.rt.lobby.expect(fd, n) != nil { // that loop has ended
				d.hand(fd, nil)
			}
		case syscall.EAGAIN:
			return
		case syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM:
			l.unwatch(int32(d.fd))
			d.pause(errno)
			return
		case syscall.EBADF, syscall.EINVAL, syscall.ENOTSOCK, syscall.EOPNOTSUPP:
			l.unwatch(int32(d.fd))
			d.fail(&net.OpError{Op: "accept", Net: "tcp", Addr: d.Addr(), Err: errno})
			return
		}
		// The rest are errors of one connection that is gone already (accept(2)).
	}
}

// greet reads the first bytes of a newcomer.
func (l *loop) greet(fd int32) {
	n, ok := l.rt.lobby.claim(fd, l)
	if !ok {
		return
	}
	got, errno := rawIO(syscall.SYS_READ, fd, l.input[:])
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		l.unwatch(fd)
		if l.rt.lobby.expect(fd, n) != nil {
			n.door.hand(fd, nil)
		}
		return
	case errno != 0 || got == 0:
		_ = syscall.Close(int(fd))
		return
	}
	p := bytes.Clone(l.input[:got])
	if head := handshakeHead(p); head > 0 {
		l.admit(n, fd, p, head)
		return
	}
	l.unwatch(fd)
	n.door.hand(fd, p)
}
