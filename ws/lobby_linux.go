package ws

import (
	"slices"
	"sync"
	"syscall"
)

// patience is how many ticks a newcomer may be silent before net/http, which
// has deadlines for that, gets it.
const patience = 2

// A lobby holds the connections that were accepted and have said nothing yet.
type lobby struct {
	mu      sync.Mutex
	waiting map[int32]newcomer // by file descriptor
	doors   []*door            // those that are open
}

type newcomer struct {
	door  *door
	loop  *loop  // which watches it
	since uint32 // tick
}

// expect waits for the first bytes of a connection.
func (b *lobby) expect(fd int32, n newcomer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := n.loop.watch(fd, syscall.EPOLL_CTL_ADD, firstBytes, asNewcomer); err != nil {
		return err
	}
	if b.waiting == nil {
		b.waiting = make(map[int32]newcomer)
	}
	b.waiting[fd] = n
	return nil
}

// claim takes a connection that l watches from the lobby, and so from the
// sweeper and whoever closes the door. A number that l still has an event of may be
// that of somebody else by now.
func (b *lobby) claim(fd int32, l *loop) (n newcomer, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, ok = b.waiting[fd]
	if ok = ok && n.loop == l; ok {
		delete(b.waiting, fd)
	}
	return n, ok
}

// check hands on who is silent. The sweeper calls it.
func (b *lobby) check(now uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for fd, n := range b.waiting {
		if now-n.since > patience {
			delete(b.waiting, fd)
			n.loop.unwatch(fd)
			n.door.hand(fd, nil)
		}
	}
	for _, d := range b.doors {
		d.retry()
	}
}

// open says that d is to be tried again if it was paused.
func (b *lobby) open(d *door) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doors = append(b.doors, d)
}

// shut is called when nothing more comes through d, and hands on who has.
func (b *lobby) shut(d *door) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doors = slices.DeleteFunc(b.doors, func(other *door) bool { return other == d })
	for fd, n := range b.waiting {
		if n.door == d {
			delete(b.waiting, fd)
			n.loop.unwatch(fd)
			d.hand(fd, nil)
		}
	}
}
