package ws

import (
	"math"
	"runtime"
	"testing"

	"edgechat/internal/edgetest"
	"edgechat/ws/internal/loop"
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
// behind it, costs at most 2 allocations and 64 bytes, and a ping as much.
func TestReviveAllocs(t *testing.T) {
	rt, c, got := takerRig(t, Config{})
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
		if n := talking(rt.reactors[0]); n != 0 {
			t.Errorf("%s: %d connections talk: it was not parked", name, n)
		}
		if allocs > 2 || bytes > 64 {
			t.Errorf("%s: %d allocations and %d bytes, want at most 2 and 64", name, allocs, bytes)
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
	message := edgetest.Frame(edgetest.OpText, []byte("hello"))
	r := rt.reactors[0]
	sender(t, c, message[:7], func() { awaitThat(t, "it is within a message", func() bool { return talking(r) == 1 }) })()
	ran := make(chan *onLoop)
	d := rt.conns.all(nil)[0].driver().(*onLoop)
	for name, events := range map[string]loop.Events{
		"readable": loop.Readable, "writable": loop.Writable, "both": loop.Readable | loop.Writable, "none": 0,
	} {
		n := make(chan float64)
		r.Post(func() { n <- testing.AllocsPerRun(1000, func() { d.Serve(events) }) })
		if n := <-n; n > 0 {
			t.Errorf("%s: %v allocations for a turn with nothing new", name, n)
		}
	}
	f := func() { ran <- d }
	for name, one := range map[string]func(){
		"a post": func() { r.Post(f); <-ran },
		"a wake": func() { d.wake(); r.Post(f); <-ran },
	} {
		if n := testing.AllocsPerRun(1000, one); n > 0 {
			t.Errorf("%v allocations for %s", n, name)
		}
	}
	select {
	case <-got:
		t.Error("a message out of nothing")
	default:
	}
	sender(t, c, message[7:], func() { <-got })() // it is where it was
}
