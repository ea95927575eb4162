package ws

import (
	"math"
	"runtime"
	"syscall"
	"testing"

	"edgechat/internal/edgetest"
)

// takerRig is a server with one loop, and a connection on it whose messages
// are sent to got.
func takerRig(t *testing.T, cfg Config) (rt *Router, c *edgetest.Client, got chan struct{}) {
	t.Helper()
	if edgetest.Race {
		t.Skip("make test counts allocations without the race detector")
	}
	cfg.loops = 1
	got = make(chan struct{})
	rt = newRouter(t, cfg)
	React(rt, Route[struct{}]{
		Path:   "/",
		Decode: func(bool, []byte) (struct{}, error) { return struct{}{}, nil },
		Open:   func(*Conn[struct{}]) (Session[struct{}], error) { return taker{got}, nil },
	})
	return rt, edgetest.Dial(t, serve(t, rt)+"/"), got
}

// TestReviveAllocs: a message to a parked connection, which is parked again
// behind it, costs at most 20 allocations and 4 KB, and a ping as much.
func TestReviveAllocs(t *testing.T) {
	rt, c, got := takerRig(t, Config{driver: eagerLoop})
	const runs = 500
	pong := make([]byte, 2)
	for name, one := range map[string]func(){
		"message": sender(t, c, edgetest.Frame(edgetest.OpText, make([]byte, 100)), func() { <-got }),
		"ping": sender(t, c, edgetest.Frame(edgetest.OpPing, nil), func() {
			if _, err := c.Conn.Read(pong); err != nil || pong[0] != 0x80|edgetest.OpPong {
				t.Fatal(pong, err)
			}
		}),
	} {
		one()
		allocs, bytes := uint64(math.MaxUint64), uint64(math.MaxUint64)
		for range 5 { // the least: what else the process does is not in it
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range runs {
				one()
			}
			runtime.ReadMemStats(&after)
			allocs = min(allocs, (after.Mallocs-before.Mallocs)/runs)
			bytes = min(bytes, (after.TotalAlloc-before.TotalAlloc)/runs)
		}
		t.Logf("%s: %d allocations, %d bytes", name, allocs, bytes)
		talking := make(chan int)
		rt.loops[0].post(func() { talking <- len(rt.loops[0].talking) })
		if n := <-talking; n != 0 {
			t.Errorf("%s: %d connections talk: it was not parked", name, n)
		}
		if allocs > 20 || bytes > 4<<10 {
			t.Errorf("%s: a revival costs %d allocations and %d bytes, want at most 20 and 4096", name, allocs, bytes)
		}
	}
}

func sender(t *testing.T, c *edgetest.Client, frame []byte, await func()) func() {
	return func() {
		if _, err := c.Conn.Write(frame); err != nil {
			t.Fatal(err)
		}
		await()
	}
}

// TestWakeAllocs: a turn of the loop that brings nothing new costs no
// allocation: events that say nothing, wakes for nothing, empty posts.
func TestWakeAllocs(t *testing.T) {
	rt, c, got := takerRig(t, Config{})
	sender(t, c, edgetest.Frame(edgetest.OpText, nil), func() { <-got })() // the loop has it, and it talks
	l := rt.loops[0]
	on := func(f func()) float64 { // measured by the loop itself, between turns of its own
		n := make(chan float64)
		l.post(func() { n <- testing.AllocsPerRun(1000, f) })
		return <-n
	}
	var fd int
	on(func() {
		for i, c := range l.conns {
			if c != nil {
				fd = i
			}
		}
	})
	for name, events := range map[string][]syscall.EpollEvent{
		"readable": {{Events: syscall.EPOLLIN, Fd: int32(fd)}},
		"writable": {{Events: syscall.EPOLLOUT, Fd: int32(fd)}},
		"both":     {{Events: syscall.EPOLLIN | syscall.EPOLLOUT, Fd: int32(fd)}},
		"nobody":   {{Events: syscall.EPOLLIN, Fd: 1 << 20}},
		"wake":     {{Events: syscall.EPOLLIN, Fd: int32(l.wakefd)}},
		"none":     nil,
	} {
		if n := on(func() { l.turn(events) }); n > 0 {
			t.Errorf("%s: %v allocations for a turn with nothing new", name, n)
		}
	}
	// From elsewhere, through epoll.
	ran := make(chan struct{})
	f := func() { ran <- struct{}{} }
	if n := testing.AllocsPerRun(1000, func() { l.post(f); <-ran }); n > 0 {
		t.Errorf("%v allocations for a post", n)
	}
	if n := testing.AllocsPerRun(1000, func() { l.wake(); runtime.Gosched() }); n > 0 {
		t.Errorf("%v allocations for a wake", n)
	}
	if n := testing.AllocsPerRun(1000, func() { l.nudge(); l.post(f); <-ran }); n > 0 {
		t.Errorf("%v allocations for a nudge of the sweeper", n)
	}
	select {
	case <-got:
		t.Error("a message out of nothing")
	default:
	}
	sender(t, c, edgetest.Frame(edgetest.OpText, nil), func() { <-got })() // it still talks
}
