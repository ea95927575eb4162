package hostile

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What the server may have resident, whoever asks for what has been said, and however slowly he takes it.
const residentLimit = 64 << 20

func mib(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// fill has somebody say n messages of so many bytes, which are on disk when it returns.
func fill(t *testing.T, s *Server, room string, n, size int) {
	t.Helper()
	c, err := Join(s.Addr, room, "username=x")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	content := strings.Repeat("x", size)
	go func() {
		for i := range n {
			_, _ = c.Write(Frame(nil, 0x81, fmt.Sprintf(`{"type":"message","content":%q,"idempotency_key":"%d"}`, content, i)))
		}
	}()
	_ = c.SetDeadline(time.Now().Add(patience))
	for acks := 0; acks < n; {
		opcode, payload, err := c.Next()
		if err != nil || opcode == 8 {
			t.Fatalf("%q, %v after %d acks", payload, err, acks)
		}
		if strings.HasPrefix(string(payload), `{"type":"ack"`) {
			acks++
		}
	}
}

// peak fails the test if the server had more resident than it may since ForgetPeak.
func peak(t *testing.T, s *Server, when string) {
	t.Helper()
	n := s.PeakRSS()
	t.Logf("%s: %s resident at most, %s now", when, mib(n), mib(s.RSS()))
	if n > residentLimit {
		t.Errorf("%s: %s resident, want at most %s", when, mib(n), mib(residentLimit))
	}
}

// replay reads n messages of a history.
func replay(c *Conn, n int) error {
	_ = c.SetDeadline(time.Now().Add(patience))
	for got := 0; got < n; {
		opcode, payload, err := c.Next()
		if err != nil || opcode == 8 {
			return fmt.Errorf("%q, %w after %d of %d messages", payload, err, got, n)
		}
		if strings.HasPrefix(string(payload[:min(len(payload), 32)]), `{"type":"message"`) {
			got++
		}
	}
	return nil
}

// Many come back at once, and all get what they have missed.
func TestJoinStorm(t *testing.T) {
	for _, c := range []struct{ joins, readers, messages, bytes int }{
		{1000, 1000, 200, 4 << 10},
		{200, 20, 200, 60_000}, // the rest take what their kernel takes, and no more
	} {
		t.Run(fmt.Sprintf("%d joins, messages of %d bytes", c.joins, c.bytes), func(t *testing.T) {
			// Nobody reads before all have joined, which may take its time.
			s := serve(t, "EDGECHAT_MAX_CONTENT=65536", "EDGECHAT_WRITE_TIMEOUT=1m")
			fill(t, s, "den", c.messages, c.bytes)
			t.Logf("%s resident before", mib(s.RSS()))
			s.ForgetPeak()
			var joining sync.WaitGroup
			var mu sync.Mutex
			var errs []error
			var conns []*Conn
			began := time.Now()
			joined := make(chan struct{}) // closed when all have, and nobody reads before
			waiting := int64(c.joins)
			for i := range c.joins {
				joining.Go(func() {
					conn, err := Join(s.Addr, "den", "since=all&announce=0")
					if atomic.AddInt64(&waiting, -1) == 0 {
						close(joined)
					}
					<-joined
					if err == nil && i < c.readers {
						err = replay(conn, c.messages)
					}
					mu.Lock()
					defer mu.Unlock()
					if conn != nil {
						conns = append(conns, conn)
					}
					if err != nil {
						errs = append(errs, err)
					}
				})
			}
			joining.Wait()
			peak(t, s, fmt.Sprintf("%d joined, %d of them had all after %v", c.joins, c.readers, time.Since(began).Round(time.Millisecond)))
			if len(errs) > 0 {
				t.Errorf("%d failed: %v", len(errs), errs[0])
			}
			for _, conn := range conns {
				_ = conn.Close() // a stop would wait for those who take nothing
			}
			s.Stop()
		})
	}
}

// deaf connects with a small receive buffer, asks, and never reads.
func deaf(t *testing.T, addr, request string) net.Conn {
	t.Helper()
	d := net.Dialer{Timeout: patience, Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) })
	}}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return c
}

// Many ask for a long history over HTTP and never read it. Others get theirs all the same, or are told when to come back.
func TestUnreadHistory(t *testing.T) {
	const messages = 1200 // 4.9 MB
	const inKernel = 512 << 10
	for _, readers := range []int{100, 300} {
		t.Run(fmt.Sprint(readers), func(t *testing.T) {
			s := serve(t, "EDGECHAT_HISTORY=1200", "EDGECHAT_REPLAY_LIMIT=1200")
			fill(t, s, "den", messages, 4<<10)
			s.ForgetPeak()
			before := s.Descriptors()
			var deafs []net.Conn
			for range readers {
				deafs = append(deafs, deaf(t, s.Addr, "GET /chat/room/den/messages?limit=1200 HTTP/1.1\r\nHost: x\r\n\r\n"))
			}
			time.Sleep(2 * time.Second)
			peak(t, s, fmt.Sprint(readers, " who do not read"))
			sent, _ := s.Queues()
			var all, most int64
			for _, n := range sent {
				all, most = all+n, max(most, n)
			}
			t.Logf("the kernel holds %s for them, %s for one at most", mib(all), mib(most))
			if most > inKernel {
				t.Errorf("the kernel holds %s for one of them, want at most %s", mib(most), mib(inKernel))
			}
			// One who reads.
			began := time.Now()
			c, err := Join(s.Addr, "den", "since=all&limit=1200")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := replay(c, messages); err != nil {
				t.Error(err)
			}
			t.Logf("a join beside them had all after %v", time.Since(began).Round(time.Millisecond))
			if d := time.Since(began); d > 30*time.Second {
				t.Errorf("a join beside them took %v", d)
			}
			for _, c := range deafs {
				_ = c.Close()
			}
			gone(t, s, before+1)
			s.Stop()
		})
	}
}

// gone waits until the server has no more than n descriptors.
func gone(t *testing.T, s *Server, n int) {
	t.Helper()
	began := time.Now()
	for s.Descriptors() > n {
		if time.Since(began) > time.Minute {
			t.Errorf("%d descriptors, want %d", s.Descriptors(), n)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Logf("descriptors given back after %v", time.Since(began).Round(time.Millisecond))
}
