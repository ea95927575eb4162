package loop

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// maxEvents is how many events a turn takes from epoll at most.
	maxEvents = 256
	// slowTurn is how long a turn may take before it is counted and told.
	slowTurn = 50 * time.Millisecond
)

// A Config says what a loop tells its owner.
type Config struct {
	// Slow is called on the loop after a turn that took longer than 50 ms. It may be nil.
	Slow func(took time.Duration, sources int)
}

// Stats are counters since the start.
type Stats struct {
	PutOff uint64 // times that a source had more than its share of a turn
	Slices uint64 // times that what was put off to the end of a turn had more for the next
}

// A Loop serves sources on one goroutine, that of Run. What is not said to be
// shared belongs to that.
type Loop struct {
	cfg  Config
	epfd int
	file *os.File        // epfd, in Go's own poller, which waits for it
	poll syscall.RawConn // of file

	events [maxEvents]syscall.EpollEvent
	ready  []Source      // have something
	served []Source      // the array of ready before
	calls  []func()      // the array of posted before
	later  []func() bool // for the end of this turn, and of later ones while they return true
	sliced []func() bool // the array of later before

	putOff, slices atomic.Uint64

	mu     sync.Mutex
	slots  []Source // by number in an event; nil is free
	free   []int32  // numbers that are free
	freed  []int32  // and that will be once the events of this turn are done
	come   []Source // shared: to be put on ready
	posted []func() // shared
	asleep bool     // shared: it waits, or is about to, and must be woken
	ending bool     // shared: Stop was called
	closed bool     // shared: its descriptor is closed
}

// New returns a loop that watches nothing. Run or Close must be called.
func New(cfg Config) (*Loop, error) {
	epfd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	// The epoll descriptor is in Go's poller, so that a loop which waits is a
	// goroutine and not a thread in a system call: the runtime would take the
	// processor from that again and again.
	if err := syscall.SetNonblock(epfd, true); err != nil {
		return nil, errors.Join(err, syscall.Close(epfd))
	}
	l := &Loop{cfg: cfg, epfd: epfd, file: os.NewFile(uintptr(epfd), "epoll")}
	if l.poll, err = l.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, l.file.Close())
	}
	return l, nil
}

// Close ends a loop that Run does not run. Nothing is watched any more.
func (l *Loop) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		_ = l.file.Close() // and with it epfd
	}
}

// Stop has Run return, once what was posted before has run. Nobody is served any more, and what
// Later was given is dropped. It may be called from any goroutine.
func (l *Loop) Stop() {
	l.mu.Lock()
	l.ending = true
	l.wakeLocked()
}

// Stats returns the counters as they are now. It may be called from any goroutine.
func (l *Loop) Stats() Stats { return Stats{PutOff: l.putOff.Load(), Slices: l.slices.Load()} }

// Post has f called in the next turn, in the order of the calls. It reports whether it
// will be, which it is not after Stop or Close. It may be called from any goroutine.
func (l *Loop) Post(f func()) bool {
	l.mu.Lock()
	if l.ending || l.closed {
		l.mu.Unlock()
		return false
	}
	l.posted = append(l.posted, f)
	l.wakeLocked()
	return true
}

// wakeLocked has a turn made, and unlocks. A loop is woken through the deadline of its wait: that
// is no system call.
func (l *Loop) wakeLocked() {
	wake := l.asleep
	l.asleep = false
	l.mu.Unlock()
	if wake {
		_ = l.file.SetReadDeadline(time.Unix(1, 0)) // it fails if file is closed, and nobody waits
	}
}

// Later has f called at the end of this turn, and of each later one while it returns true.
func (l *Loop) Later(f func() (more bool)) { l.later = append(l.later, f) }

// Run makes turns until Stop.
func (l *Loop) Run() {
	defer l.Close()
	step := l.step // once: a method value allocates
	for {
		switch err := l.poll.Read(step); {
		case err == nil:
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			_ = l.file.SetReadDeadline(time.Time{})
		default:
			panic("loop: wait for epoll: " + err.Error()) // file is closed by Run alone
		}
	}
}

// step makes turns until there is nothing left to do. It reports whether the loop has ended.
// All turns are made within one Read of the descriptor: that waits whenever
// step returns false, and an event that comes during a turn is not lost on it.
func (l *Loop) step(uintptr) (ended bool) {
	for {
		n, errno := epollNow(l.epfd, l.events[:])
		if errno != 0 && errno != syscall.EINTR {
			// Only a program that is wrong gets here: a bad descriptor or pointer.
			panic("loop: epoll_wait: " + errno.Error())
		}
		if ended := l.gather(l.events[:n]); ended {
			l.call()
			return true
		}
		l.turn()
		// All that is watched is edge-triggered: a report that is not full has
		// emptied epoll's list, and whatever comes from now on is an edge for Go's poller.
		if n < maxEvents && errno == 0 && l.rest() {
			return false
		}
		if len(l.ready)+len(l.later) > 0 {
			runtime.Gosched() // a loop that is never done must not be all that runs
		}
	}
}

// gather puts on the ready list who has events, and who was put there from elsewhere, and takes what
// was posted. It reports whether the loop is to end: nothing is posted any more.
func (l *Loop) gather(events []syscall.EpollEvent) (ended bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asleep = false
	for i := range events {
		if s := l.slots[events[i].Fd]; s != nil {
			n := s.node()
			n.events |= Events(events[i].Events)
			if n.mark() {
				l.ready = append(l.ready, s)
			}
		}
	}
	l.ready = append(l.ready, l.come...)
	clear(l.come)
	l.come = l.come[:0]
	l.free = append(l.free, l.freed...)
	l.freed = l.freed[:0]
	l.posted, l.calls = l.calls[:0], l.posted
	return l.ending
}

// rest reports whether there is nothing to do but what will be reported. From then on
// whoever has something wakes the loop.
func (l *Loop) rest() bool {
	if len(l.ready)+len(l.later) > 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asleep = len(l.come)+len(l.posted) == 0 && !l.ending
	return l.asleep
}

// turn serves the ready list as it is now, after what was posted, and then what
// these have put off.
func (l *Loop) turn() {
	began := time.Now()
	l.call()
	ready := l.ready
	l.ready = l.served[:0]
	for i, s := range ready {
		ready[i] = nil
		l.serve(s)
	}
	l.served = ready
	later := l.later
	l.later = l.sliced[:0]
	for i, f := range later {
		later[i] = nil
		if f() {
			l.slices.Add(1)
			l.later = append(l.later, f)
		}
	}
	l.sliced = later
	if d := time.Since(began); d > slowTurn && l.cfg.Slow != nil {
		l.cfg.Slow(d, len(ready))
	}
}

// call runs what was posted.
func (l *Loop) call() {
	for i, f := range l.calls {
		l.calls[i] = nil
		f()
	}
}

func (l *Loop) serve(s Source) {
	n := s.node()
	n.state.Store(serving)
	events := n.events
	n.events = 0
	if s.Serve(events) {
		l.putOff.Add(1)
		n.state.Store(queued)
		l.ready = append(l.ready, s)
	} else if !n.state.CompareAndSwap(serving, idle) { // it became ready meanwhile
		n.state.Store(queued)
		l.ready = append(l.ready, s)
	}
}
