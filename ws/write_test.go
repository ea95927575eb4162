package ws

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
)

// A feed is a Stream of numbered frames that grows for ever.
type feed struct {
	mu   sync.Mutex
	log  []byte
	made int
}

// add appends a frame of about n bytes.
func (f *feed) add(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = AppendFrame(f.log, false, fmt.Appendf(nil, "shared %d %s", f.made, strings.Repeat("s", n)))
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
	return len(f.log) > 4*pieceSize
}

func (f *feed) Wrote(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = f.log[n:]
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

// stalled returns the connection of a client that reads nothing after the upgrade, with a
// small buffer, to which frames of a stream were written until the kernel took no more.
func stalled(t *testing.T, cfg Config) (*edgetest.Client, *Conn[string], *feed, *Router, chan error) {
	t.Helper()
	conns, closed := make(chan *Conn[string], 1), make(chan error, 1)
	cfg.SendBuffer = 64 << 10
	rt := newRouter(t, cfg)
	React(rt, Route[string]{Path: "/", Decode: decodeText, Open: func(c *Conn[string]) (Session[string], error) {
		conns <- c
		return &echoSession{c, closed}, nil
	}})
	base := serve(t, rt)
	client := edgetest.Dial(t, base+"/")
	if err := client.Conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	c := <-conns
	f := new(feed)
	c.Attach(f)
	for {
		for range 16 {
			f.add(1000)
		}
		if c.Flush() {
			continue
		}
		time.Sleep(20 * time.Millisecond) // the kernels may still move some
		if f.stands() {
			return client, c, f, rt, closed
		}
	}
}

// TestSlowPeer: one that takes nothing for the write timeout is closed with
// 1013. When it reads again it finds whole frames and then that close frame.
func TestSlowPeer(t *testing.T) { eachReact(t, testSlowPeer) }

func testSlowPeer(t *testing.T, v variant) {
	client, c, f, rt, closed := stalled(t, v.with(Config{WriteTimeout: 100 * time.Millisecond, CloseTimeout: 100 * time.Millisecond}))
	select {
	case err := <-closed:
		if err != nil {
			t.Errorf("closed with %v, want nil: it was closed from here", err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("a stalled peer is not closed")
	}
	if n := rt.Stats().Slow; n != 1 {
		t.Errorf("%d slow peers counted", n)
	}
	f.add(1) // nobody wants it any more
	c.Flush()
	next := 0
	for {
		op, p, err := client.Read()
		if err != nil {
			t.Fatalf("after %d frames: %v", next, err)
		}
		if op == edgetest.OpClose {
			if code := int(p[0])<<8 | int(p[1]); code != refusal.CloseTryAgainLater {
				t.Errorf("closed with %d", code)
			}
			break
		}
		if !strings.HasPrefix(string(p), fmt.Sprintf("shared %d ", next)) {
			t.Fatalf("frame %d is %.20q", next, p)
		}
		next++
	}
	if next < 10 {
		t.Errorf("%d frames came", next)
	}
}

// TestSlowButAlive: a peer that takes a little now and then is not closed.
func TestSlowButAlive(t *testing.T) { eachReact(t, testSlowButAlive) }

func testSlowButAlive(t *testing.T, v variant) {
	client, c, f, rt, _ := stalled(t, v.with(Config{WriteTimeout: 800 * time.Millisecond}))
	var buf [16 << 10]byte
	for range 40 {
		time.Sleep(50 * time.Millisecond)
		f.add(len(buf)) // there is always more
		c.Flush()
		if _, err := io.ReadFull(client.Conn, buf[:]); err != nil {
			t.Fatal(err)
		}
	}
	if s := rt.Stats(); s.Slow != 0 || s.Open != 1 {
		t.Errorf("stats %+v", s)
	}
}

// TestPendingBound: frames for one connection alone do not pile up.
func TestPendingBound(t *testing.T) { eachReact(t, testPendingBound) }

func testPendingBound(t *testing.T, v variant) {
	_, c, _, rt, closed := stalled(t, v.with(Config{MaxPending: 10 << 10, CloseTimeout: 50 * time.Millisecond}))
	sent := 0
	for c.SendPayload(false, make([]byte, 1000)) == nil {
		if sent++; sent > 20 {
			t.Fatal("no bound")
		}
	}
	if sent < 5 {
		t.Errorf("closed after %d KB", sent)
	}
	if rt.Stats().Slow != 1 {
		t.Error("not counted")
	}
	<-closed
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
func TestWriteAllocs(t *testing.T) {
	near, far := tcpPair(t)
	go func() { _, _ = io.Copy(io.Discard, far) }()
	rt := newRouter(t, Config{})
	t.Cleanup(func() { _ = rt.Shutdown(t.Context(), 0, "") })
	c := &core{rt: rt, nc: near, fd: -1, raw: rawConn(near)}
	s := &oneFrame{frame: AppendFrame(nil, false, make([]byte, 100))}
	c.Attach(s)
	if n := testing.AllocsPerRun(1000, func() { s.due = true; c.Flush() }); n != 0 {
		t.Errorf("%v allocations for each delivery", n)
	}
	if s.due {
		t.Error("nothing was written")
	}
}

type oneFrame struct {
	frame []byte
	due   bool
}

func (s *oneFrame) Pending() []byte {
	if s.due {
		return s.frame
	}
	return nil
}
func (s *oneFrame) Wrote(int) { s.due = false }

func tcpPair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close(); _ = far.Close() })
	return near, far
}

func TestFrames(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 65_535, 65_536, 100_000} {
		payload := bytes.Repeat([]byte("x"), n)
		want := append([]byte("before"), AppendFrame(nil, true, payload)...)
		got := BeginFrame([]byte("before"))
		got = append(got, payload...)
		got = EndFrame(got, len("before"), true)
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes: built in place it is another frame", n)
		}
		if l := FrameLen(want[len("before"):]); l != len(want)-len("before") {
			t.Errorf("%d bytes: length %d", n, l)
		}
	}
	three := bytes.Repeat(AppendFrame(nil, false, []byte("abc")), 3)
	for n, want := range map[int]int{0: 0, 1: 5, 5: 5, 6: 10, 14: 15, 15: 15} {
		if got := wholeFrames(three, n); got != want {
			t.Errorf("%d of 15 bytes are whole frames up to %d, want %d", n, got, want)
		}
	}
}

// TestCutWhileWriting: a connection may be cut just when its writer's write has succeeded.
func TestCutWhileWriting(t *testing.T) {
	for _, own := range []bool{true, false} { // a frame of its own, or one of a stream
		rt := newRouter(t, Config{})
		near, _ := net.Pipe()
		c := &core{rt: rt}
		c.nc = cutConn{near, c}
		if own {
			if err := c.send(false, []byte("hello"), false); err != nil {
				t.Fatal(err)
			}
		} else {
			c.Attach(&oneFrame{frame: AppendFrame(nil, false, []byte("shared")), due: true})
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
	w.c.kill()
	return len(p), nil
}
