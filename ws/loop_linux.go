package ws

import (
	"cmp"
	"errors"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// canLoop says that plain TCP connections of React routes get the event-loop
// driver.
const canLoop = true

const (
	// inputSize is what a turn reads from one connection at most, in bytes; who
	// has more waits for the next turn.
	inputSize = 64 << 10
	// maxEvents is how many connections a turn serves at most.
	maxEvents = 256
	// slowTurn is how long a turn may take before it is counted and logged.
	slowTurn = 50 * time.Millisecond
)

// edgeTriggered: a connection is registered once, for everything. It is read until a read
// comes back short, and EPOLLOUT comes once what was full takes bytes again.
const edgeTriggered = syscall.EPOLLIN | syscall.EPOLLOUT | syscall.EPOLLRDHUP | 1<<31 // EPOLLET, which package syscall has as a negative number

// firstBytes: a newcomer is reported once, and nothing more of it before it has a driver.
const firstBytes = syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT

// What a watched descriptor is, beside its number in an event.
const (
	asConn int32 = iota
	asWake
	asDoor
	asNewcomer
)

// A loop is one epoll instance and the goroutine that serves what it reports.
// What is not said to be shared belongs to that goroutine.
type loop struct {
	rt     *Router
	epfd   int
	file   *os.File        // epfd, in Go's own poller, which waits for it
	poll   syscall.RawConn // of file
	wakefd int             // an eventfd

	events  [maxEvents]syscall.EpollEvent
	input   [inputSize]byte
	conns   []*core       // by file descriptor
	doors   []*door       // from which it accepts
	talking []*core       // those with a coroutine
	spare   []*talk       // coroutines that are nobody's
	spent   []func()      // the array of posted before
	again   []*core       // those that have more input than one read takes
	asked   []*core       // the array of again before
	later   []func() bool // for the end of this turn, and of later ones while they return true
	sliced  []func() bool // the array of later before
	swept   uint32        // tick of the last sweep for silent ones
	warned  time.Time

	talkers atomic.Int32 // shared: how many are in talking, as of the last turn

	mu     sync.Mutex
	posted []func() // shared: from other goroutines, for the next turn
	asleep bool     // shared: it waits, or is about to, and must be woken
	closed bool     // shared: its descriptors are closed
}

// startLoops starts one loop for each core. They end with Shutdown.
func (rt *Router) startLoops() error {
	for range cmp.Or(rt.cfg.loops, runtime.GOMAXPROCS(0)) {
		epfd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
		if err != nil {
			return err
		}
		wakefd, _, errno := syscall.Syscall(syscall.SYS_EVENTFD2, 0, syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
		if errno != 0 {
			return errors.Join(errno, syscall.Close(epfd))
		}
		l := &loop{rt: rt, epfd: epfd, wakefd: int(wakefd)}
		if err := l.open(); err != nil {
			l.close()
			return err
		}
		rt.loops = append(rt.loops, l)
		rt.wg.Go(l.run)
	}
	return nil
}

// open puts the epoll descriptor into Go's poller, so that a loop which waits is a
// goroutine and not a thread in a system call: the runtime would take the
// processor from that again and again.
func (l *loop) open() (err error) {
	if err := syscall.SetNonblock(l.epfd, true); err != nil {
		return err
	}
	l.file = os.NewFile(uintptr(l.epfd), "epoll")
	if l.poll, err = l.file.SyscallConn(); err != nil {
		return err
	}
	return l.watch(int32(l.wakefd), syscall.EPOLL_CTL_ADD, edgeTriggered, asWake)
}

func (l *loop) close() {
	for _, d := range slices.Clone(l.doors) {
		l.leave(d)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.file != nil {
		_ = l.file.Close() // and with it epfd
	} else {
		_ = syscall.Close(l.epfd)
	}
	_ = syscall.Close(l.wakefd)
}

// watch has events of fd reported from now on. It may be called from any goroutine.
func (l *loop) watch(fd int32, op int, events uint32, as int32) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	return syscall.EpollCtl(l.epfd, op, int(fd), &syscall.EpollEvent{Events: events, Fd: fd, Pad: as})
}

// unwatch ends that. It may be called from any goroutine.
func (l *loop) unwatch(fd int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		_ = syscall.EpollCtl(l.epfd, syscall.EPOLL_CTL_DEL, int(fd), nil) // it may not be watched
	}
}

// post has f called at the beginning of the next turn. It may be called from
// any goroutine.
func (l *loop) post(f func()) {
	l.mu.Lock()
	l.posted = append(l.posted, f)
	wake := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if wake {
		l.wake()
	}
}

func (l *loop) wake() {
	one := uint64(1)
	_, _ = syscall.Write(l.wakefd, (*[8]byte)(unsafe.Pointer(&one))[:]) // it can only be full, and is awake then
}

// run makes turns until the loop is to end. All of them are made within one Read of
// the descriptor: that waits whenever step has nothing left to do, and an
// event that comes during a turn is not lost on it. One epoll_wait a wake is
// so enough.
func (l *loop) run() {
	defer l.close()
	defer func() {
		for _, t := range l.spare {
			l.retire(t)
		}
	}()
	// It fails if file is closed, which only close does.
	if err := l.poll.Read(l.step); err != nil {
		panic("ws: wait for epoll: " + err.Error())
	}
}

// step makes turns until there is nothing left to do. It reports whether the loop has ended.
func (l *loop) step(uintptr) (ended bool) {
	l.mu.Lock()
	l.asleep = false
	l.mu.Unlock()
	for {
		n, errno := epollNow(l.epfd, l.events[:])
		if errno != 0 && errno != syscall.EINTR {
			// Only a program that is wrong gets here: a bad descriptor or pointer.
			panic("ws: epoll_wait: " + errno.Error())
		}
		if l.timedTurn(l.events[:n]) {
			return true
		}
		if n < maxEvents && errno == 0 && l.rest() {
			return false
		}
	}
}

// rest reports whether there is nothing to do but what will be reported. From then on
// whoever posts wakes the loop.
func (l *loop) rest() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asleep = len(l.posted) == 0 && len(l.again) == 0 && len(l.later) == 0
	return l.asleep
}

// timedTurn is a turn that is counted if it is slow.
func (l *loop) timedTurn(events []syscall.EpollEvent) (ended bool) {
	began := time.Now()
	ended = l.turn(events)
	if d := time.Since(began); d > slowTurn {
		l.rt.stats.slowTurns.Add(1)
		if began.Sub(l.warned) > time.Minute {
			l.warned = began
			l.rt.cfg.Logger.Warn("slow turn", "took", d, "events", len(events))
		}
	}
	return ended
}

// nudge has a turn made if somebody may have to be parked. The sweeper calls it.
func (l *loop) nudge() {
	if l.talkers.Load() > 0 {
		l.post(func() {})
	}
}

// turn serves events, then what was posted, then those that had more input, and
// then what these have put off to the end.
func (l *loop) turn(events []syscall.EpollEvent) (ended bool) {
	again := l.again
	l.again = l.asked[:0]
	for i := range events {
		// A number may have been given away again in this very turn: who has it
		// now is woken for nothing, and finds that out.
		switch fd := events[i].Fd; events[i].Pad {
		case asConn:
			if int(fd) < len(l.conns) && l.conns[fd] != nil {
				l.serve(l.conns[fd], events[i].Events)
			}
		case asNewcomer:
			l.greet(fd)
		case asDoor:
			for _, d := range l.doors {
				if d.fd == int(fd) {
					l.accept(d)
				}
			}
		case asWake:
			var b [8]byte
			_, _ = syscall.Read(int(fd), b[:])
		}
	}
	l.mu.Lock()
	posted := l.posted
	l.posted = l.spent[:0]
	l.mu.Unlock()
	for i, f := range posted {
		posted[i] = nil
		f()
	}
	l.spent = posted
	for _, c := range again {
		if !c.gone {
			l.read(c)
		}
	}
	clear(again)
	l.asked = again
	later := l.later
	l.later = l.sliced[:0]
	for i, f := range later {
		later[i] = nil
		if f() {
			l.atEnd(f)
		}
	}
	l.sliced = later
	if now := l.rt.tick.Load(); now != l.swept {
		l.swept = now
		l.parkSilent(now)
	}
	l.talkers.Store(int32(len(l.talking)))
	select {
	case <-l.rt.halt:
		return true
	default:
		return false
	}
}

// atEnd has f called at the end of this turn, and of later ones while it returns true.
func (l *loop) atEnd(f func() bool) { l.later = append(l.later, f) }
