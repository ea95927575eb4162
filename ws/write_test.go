package ws

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
	"edgechat/ws/internal/frame"
)

// A feed is a Stream of numbered frames that grows for ever.
type feed struct {
	mu   sync.Mutex
	log  []byte
	made int
	took int // bytes
}

// add appends a frame of about n bytes.
func (f *feed) add(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = appendFrame(f.log, false, fmt.Appendf(nil, "shared %d %s", f.made, strings.Repeat("s", n)))
	f.made++
}

func (f *feed) Pending() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return bytes.Clone(f.log) // it grows in place otherwise
}

// stands reports whether more than the connection can have in hand is not written.
func (f *feed) stands() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.log) > 64<<10
}

func (f *feed) Wrote(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = f.log[n:]
	f.took += n
}

func (f *feed) taken() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.took
}

// TestOneOrder has a peer that reads in fits and starts, frames for it alone
// and frames from a stream, pongs in between: each kind comes whole and in order.
func TestOneOrder(t *testing.T) { eachReact(t, testOneOrder) }

func testOneOrder(t *testing.T, v variant) {
	conns := make(chan *Conn[string], 1)
	rt := newRouter(t, v.with(Config{MaxPending: 1 << 30}))
	React(rt, Route[string]{Path: "/", Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) {
		conns <- c
		return &echoSession{c, make(chan error, 1)}, nil
	}})
	base := serve(t, rt)
	client := edgetest.Dial(t, base+"/")
	if err := client.Conn.(*net.TCPConn).SetReadBuffer(32 << 10); err != nil {
		t.Fatal(err)
	}
	c := <-conns
	f := new(feed)
	c.Attach(f)
	const total = 1000
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for i := range total {
			_ = c.SendPayload(false, fmt.Appendf(nil, "private %d %s", i, strings.Repeat("p", 1+rand.IntN(300))))
		}
	})
	wg.Go(func() {
		for range total {
			f.add(1 + rand.IntN(3000))
			c.Flush()
		}
	})
	pings := 0
	next := map[string]int{}
	for next["shared"] < total || next["private"] < total {
		if rand.IntN(100) == 0 {
			time.Sleep(time.Millisecond)
			client.Raw(edgetest.Frame(edgetest.OpPing, fmt.Append(nil, pings)))
			pings++
		}
		op, p, err := client.Read()
		if err != nil {
			t.Fatal(err)
		}
		if op == edgetest.OpPong {
			continue
		}
		var kind, pad string
		var n int
		if _, err := fmt.Sscanf(string(p), "%s %d %s", &kind, &n, &pad); err != nil {
			t.Fatalf("damaged: %q: %v", p, err)
		}
		if n != next[kind] || strings.Trim(pad, kind[:1]) != "" {
			t.Fatalf("%s %d came instead of %d", kind, n, next[kind])
		}
		next[kind]++
	}
}

// TestSendWaits: a Handle route's Send waits for its peer, and fails when the
// connection ends.
func TestSendWaits(t *testing.T) {
	rt := newRouter(t, Config{MaxPending: 10 << 10, SendBuffer: 32 << 10})
	const total = 5000
	errs := make(chan error, 2)
	Handle(rt, Route[string]{Path: "/:n", Decode: decodeText, Handle: func(c *Conn[string]) error {
		for range total {
			if err := c.SendPayload(true, make([]byte, 1000)); err != nil {
				errs <- err
				return nil
			}
		}
		errs <- nil
		return nil
	}})
	base := serve(t, rt)
	c := edgetest.Dial(t, base+"/all")
	time.Sleep(50 * time.Millisecond)
	select {
	case err := <-errs:
		t.Fatalf("did not wait: %v", err)
	default:
	}
	for range total {
		if p := c.Expect(edgetest.OpBinary); len(p) != 1000 {
			t.Fatalf("%d bytes", len(p))
		}
	}
	if code, _ := c.ExpectClose(); code != refusal.CloseNormal {
		t.Errorf("closed with %d", code)
	}
	if err := <-errs; err != nil {
		t.Error(err)
	}
	c = edgetest.Dial(t, base+"/cut")
	time.Sleep(20 * time.Millisecond)
	_ = c.Conn.Close()
	if err := <-errs; err != net.ErrClosed {
		t.Errorf("send to a peer that is gone: %v", err)
	}
}

// TestWriteAllocs: a frame from a stream, and a wake of a connection with
// nothing to do, allocate nothing.
func TestWriteAllocs(t *testing.T) { eachReact(t, testWriteAllocs) }

func testWriteAllocs(t *testing.T, v variant) {
	client, c := opened(t, v, Config{})
	go func() { _, _ = io.Copy(io.Discard, client.Conn) }()
	s := &oneFrame{frame: appendFrame(nil, false, make([]byte, 100))}
	c.Attach(s)
	if n := testing.AllocsPerRun(1000, func() { s.due.Store(true); c.Flush() }); n != 0 {
		t.Errorf("%v allocations for each delivery", n)
	}
	if s.due.Load() {
		t.Error("nothing was written")
	}
}

// TestCutWhileWriting: a connection may be cut just when its writer's write has succeeded.
func TestCutWhileWriting(t *testing.T) {
	for _, own := range []bool{true, false} { // a frame of its own, or one of a stream
		rt := newRouter(t, Config{})
		near, _ := net.Pipe()
		c := &core{rt: rt}
		d := &onGoroutine{nc: cutConn{near, c}}
		d.c = c
		c.out.Init(&rt.outbox, d, false)
		if own {
			if err := c.out.Queue(frame.Text, []byte("hello"), false); err != nil {
				t.Fatal(err)
			}
			c.Flush()
		} else {
			c.Attach(dueFrame([]byte("shared")))
		}
		if err := rt.Shutdown(t.Context(), 0, ""); err != nil { // waits for the writer
			t.Fatal(err)
		}
	}
}

// A cutConn cuts its connection in every Write, which succeeds.
type cutConn struct {
	net.Conn
	c *core
}

func (w cutConn) Write(p []byte) (int, error) {
	w.c.out.Kill()
	return len(p), nil
}

// A oneFrame is a stream that has the same frame whenever it is due, which its connection may see in a turn of its own.
type oneFrame struct {
	frame []byte
	due   atomic.Bool
}

func dueFrame(payload []byte) *oneFrame {
	s := &oneFrame{frame: appendFrame(nil, false, payload)}
	s.due.Store(true)
	return s
}

func (s *oneFrame) Pending() []byte {
	if s.due.Load() {
		return s.frame
	}
	return nil
}
func (s *oneFrame) Wrote(int) { s.due.Store(false) }
