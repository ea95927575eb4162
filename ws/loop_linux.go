package ws

import (
	"cmp"
	"errors"
	"io"
	"net"
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

// add takes a connection over. It begins parked; what came with its handshake is its first
// input.
func (l *loop) add(c *core) {
	for len(l.conns) <= c.fd {
		l.conns = append(l.conns, nil)
	}
	l.conns[c.fd] = c
	if err := l.register(c.fd); err != nil {
		l.rt.cfg.Logger.Error("epoll_ctl failed", "err", err)
		l.end(c, err)
		return
	}
	if head := c.head; len(head) > 0 {
		c.head = nil
		l.feed(c, head, nil)
	}
}

func (l *loop) ready(c *core, events uint32) {
	if events&syscall.EPOLLOUT != 0 {
		c.writable()
	}
	if events&^uint32(syscall.EPOLLOUT) != 0 {
		l.read(c)
	}
	if events&(syscall.EPOLLRDHUP|syscall.EPOLLHUP|syscall.EPOLLERR) != 0 && !c.gone {
		l.again = append(l.again, c) // the end stands behind what was read, and is not reported twice
	}
}

// read gives a connection what it was sent.
func (l *loop) read(c *core) {
	n, errno := rawIO(syscall.SYS_READ, c.fd, l.input[:])
	switch {
	case errno == syscall.EAGAIN:
		return
	case errno == syscall.EINTR || n == inputSize:
		l.again = append(l.again, c)
	}
	if errno == syscall.EINTR {
		return
	}
	c.seen.Store(l.rt.tick.Load())
	var err error
	switch {
	case errno != 0:
		err = &net.OpError{Op: "read", Net: "tcp", Err: errno}
	case n == 0:
		err = io.EOF
	}
	switch {
	case c.over && err != nil:
		l.drop(c)
	case c.over: // what comes behind the end is nobody's
	default:
		l.feed(c, l.input[:max(n, 0)], err)
	}
}

// feed runs the connection's coroutine until it has used up its input.
func (l *loop) feed(c *core, input []byte, err error) {
	if c.talk == nil {
		if err != nil { // nobody is there to hear it
			l.end(c, err)
			return
		}
		c.revive()
		c.talk.place = len(l.talking)
		l.talking = append(l.talking, c)
	}
	t := c.talk
	t.input, t.err = input, err
	t.resume()
	t.input = nil
	switch {
	case t.ended:
		l.silence(c)
		l.end(c, nil)
	case l.rt.cfg.driver == eagerLoop:
		l.park(c)
	}
}

// silence takes c off the list of those with a coroutine.
func (l *loop) silence(c *core) {
	last := len(l.talking) - 1
	moved := l.talking[last]
	l.talking[c.talk.place] = moved
	moved.talk.place = c.talk.place
	l.talking[last] = nil
	l.talking = l.talking[:last]
	c.talk, c.socket = nil, nil
}

// park ends the coroutine of a connection that is between two messages.
func (l *loop) park(c *core) {
	t := c.talk
	if !t.boundary {
		return
	}
	t.parking = true
	t.resume()
	if !t.ended {
		panic("ws: a coroutine did not park")
	}
	l.silence(c)
}

// parkSilent parks those that have said nothing for a while.
func (l *loop) parkSilent(now uint32) {
	after := uint32(l.rt.cfg.parkAfter/l.rt.tickLength()) + 1
	for i := len(l.talking) - 1; i >= 0; i-- { // who is parked makes room for the last
		if c := l.talking[i]; now-c.seen.Load() >= after {
			l.park(c)
		}
	}
}

// end is called when nothing more will be read: the handler learns of it, and
// what is left is written.
func (l *loop) end(c *core, err error) {
	if c.over {
		return
	}
	c.over = true
	if err != nil {
		c.readFailed(err)
	}
	c.end()
	if c.readErr != nil {
		c.mu.Lock()
		c.stream = nil
		c.flushLocked() // what a peer that hung up early will still take
		c.mu.Unlock()
		l.drop(c)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hangUp = true
	if c.flushLocked() && c.ended { // the close frame went before
		hangUpDescriptor(c.fd)
	}
}

// drop closes the descriptor. Only the loop does, so that a number never stands
// for another connection while it is in use here.
func (l *loop) drop(c *core) {
	if c.gone {
		return
	}
	c.gone = true
	l.conns[c.fd] = nil
	c.mu.Lock()
	c.dead = true
	c.out, c.stream = nil, nil
	_ = syscall.Close(c.fd)
	c.wakeLocked()
	c.mu.Unlock()
	l.rt.conns.remove(c)
}

// epollNow is epoll_pwait(2) that returns at once. It does not tell the
// scheduler, which would cost more than the call.
func epollNow(epfd int, events []syscall.EpollEvent) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// rawIO is read(2) or write(2) on a descriptor that does not block, without
// telling the scheduler.
func rawIO(trap uintptr, fd int, p []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)))
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

func errnoErr(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}

// takeDescriptor takes a TCP connection away from Go's poller: its descriptor
// is duplicated and the original closed.
func takeDescriptor(nc net.Conn) (fd int, err error) {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return -1, errors.ErrUnsupported
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return -1, err
	}
	fd = -1
	cerr := raw.Control(func(old uintptr) {
		n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, old, syscall.F_DUPFD_CLOEXEC, 0)
		if errno != 0 {
			err = errno
			return
		}
		fd = int(n)
	})
	if err = errors.Join(cerr, err); err != nil {
		return -1, err
	}
	_ = nc.Close() // the duplicate keeps the connection
	return fd, nil
}

// tryDescriptor writes what the kernel takes of p.
func tryDescriptor(fd int, p []byte) (n int, err error) {
	for {
		n, errno := rawIO(syscall.SYS_WRITE, fd, p)
		switch errno {
		case 0:
			return n, nil
		case syscall.EINTR:
		case syscall.EAGAIN:
			return 0, nil
		default:
			return 0, errno
		}
	}
}

func cutDescriptor(fd int)    { _ = syscall.Shutdown(fd, syscall.SHUT_RDWR) }
func hangUpDescriptor(fd int) { _ = syscall.Shutdown(fd, syscall.SHUT_WR) }
func widenDescriptor(fd, size int) {
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_SNDBUF, size)
}

func peerOf(fd int) net.Addr {
	sa, err := syscall.Getpeername(fd)
	if err != nil {
		return &net.TCPAddr{}
	}
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return &net.TCPAddr{IP: sa.Addr[:], Port: sa.Port}
	case *syscall.SockaddrInet6:
		return &net.TCPAddr{IP: sa.Addr[:], Port: sa.Port}
	}
	return &net.TCPAddr{}
}
