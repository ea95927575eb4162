package ws

import (
	"cmp"
	"errors"
	"runtime"
	"sync"
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

// A loop is one epoll instance and the goroutine that serves what it reports.
// What is not said to be shared belongs to that goroutine.
type loop struct {
	rt     *Router
	epfd   int
	wakefd int // an eventfd

	input   [inputSize]byte
	conns   []*core  // by file descriptor
	talking []*core  // those with a coroutine
	again   []*core  // those that have more input than one read takes
	later   []func() // for the end of this turn
	swept   uint32   // tick of the last sweep for silent ones

	mu     sync.Mutex
	posted []func() // shared: from other goroutines, for the next turn
	asleep bool     // shared: it waits, or is about to, and must be woken
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
		if err := l.register(l.wakefd); err != nil {
			return err
		}
		rt.loops = append(rt.loops, l)
		rt.wg.Go(l.run)
	}
	return nil
}

func (l *loop) register(fd int) error {
	return syscall.EpollCtl(l.epfd, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: edgeTriggered, Fd: int32(fd)})
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

func (l *loop) run() {
	var events [maxEvents]syscall.EpollEvent
	defer func() {
		_ = syscall.Close(l.epfd)
		_ = syscall.Close(l.wakefd)
	}()
	for {
		n, err := l.wait(events[:])
		if err != nil {
			// Only a program that is wrong gets here: a bad descriptor or pointer.
			panic("ws: epoll_wait: " + err.Error())
		}
		began := time.Now()
		if ended := l.turn(events[:n]); ended {
			return
		}
		if d := time.Since(began); d > slowTurn {
			l.rt.stats.slowTurns.Add(1)
			l.rt.cfg.Logger.Warn("slow turn", "took", d, "events", n)
		}
	}
}

// wait returns what is ready. While nothing is, it sleeps: until something is
// posted, or for the rest of a tick if somebody may have to be parked.
func (l *loop) wait(events []syscall.EpollEvent) (int, error) {
	n, errno := epollNow(l.epfd, events)
	if n > 0 || errno != 0 && errno != syscall.EINTR {
		return n, errnoErr(errno)
	}
	l.mu.Lock()
	if len(l.posted) > 0 || len(l.again) > 0 {
		l.mu.Unlock()
		return 0, nil
	}
	l.asleep = true
	l.mu.Unlock()
	timeout := -1
	if len(l.talking) > 0 {
		timeout = int(l.rt.tickLength().Milliseconds()) + 1
	}
	n, err := syscall.EpollWait(l.epfd, events, timeout) // this one tells the scheduler
	l.mu.Lock()
	l.asleep = false
	l.mu.Unlock()
	if err == syscall.EINTR {
		return 0, nil
	}
	return n, err
}

// turn serves events, then what was posted, then those that had more input, and
// then what these have put off to the end.
func (l *loop) turn(events []syscall.EpollEvent) (ended bool) {
	again := l.again
	l.again = nil
	for i := range events {
		fd := int(events[i].Fd)
		if fd == l.wakefd {
			var b [8]byte
			_, _ = syscall.Read(fd, b[:])
			continue
		}
		// A number may have been given away again in this very turn: who has it
		// now is woken for nothing, and finds that out.
		if fd < len(l.conns) && l.conns[fd] != nil {
			l.ready(l.conns[fd], events[i].Events)
		}
	}
	l.mu.Lock()
	posted := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, f := range posted {
		f()
	}
	for _, c := range again {
		if !c.gone {
			l.read(c)
		}
	}
	for i := 0; i < len(l.later); i++ { // it may grow
		l.later[i]()
		l.later[i] = nil
	}
	l.later = l.later[:0]
	if now := l.rt.tick.Load(); now != l.swept {
		l.swept = now
		l.parkSilent(now)
	}
	select {
	case <-l.rt.halt:
		return true
	default:
		return false
	}
}

// atEnd has f called at the end of this turn.
func (l *loop) atEnd(f func()) { l.later = append(l.later, f) }
