package ws

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestSendBuffer: what the kernel holds for a peer that reads nothing is bounded, whoever
// serves him, and whether he was there before the router.
func TestSendBuffer(t *testing.T) {
	for name, v := range map[string]driving{"loop": autoDriver, "net/http": goroutineDriver} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			base := "ws://" + l.Addr().String()
			early := rawClient(t, base)
			rt := newRouter(t, Config{driver: v, SendBuffer: 32 << 10})
			sizes := make(chan int, 1)
			rt.HTTP("GET", "/", func(w http.ResponseWriter, r *Request) error {
				nc, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return err
				}
				defer nc.Close()
				raw, err := nc.(*plainConn).Conn.(*net.TCPConn).SyscallConn()
				if err != nil {
					return err
				}
				return raw.Control(func(fd uintptr) {
					n, _ := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF)
					sizes <- n
				})
			})
			serveOn(t, rt, l)
			for _, c := range []struct{ when string }{{"before"}, {"behind"}} {
				if c.when == "behind" {
					early = rawClient(t, base)
				}
				early.Raw([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
				if n := <-sizes; n != 64<<10 { // the kernel doubles it (socket(7))
					t.Errorf("who came %s the router has a send buffer of %d bytes", c.when, n)
				}
			}
		})
	}
}

// TestAnswerProgress: a long answer takes the time that the peer takes, unless that takes
// nothing.
func TestAnswerProgress(t *testing.T) {
	for name, v := range map[string]driving{"loop": autoDriver, "net/http": goroutineDriver} {
		t.Run(name, func(t *testing.T) {
			const timeout = 400 * time.Millisecond
			rt := newRouter(t, Config{driver: v, WriteTimeout: timeout, SendBuffer: 16 << 10})
			ends := make(chan error, 1)
			long := strings.Repeat("x", 16<<20)
			rt.HTTP("GET", "/", func(w http.ResponseWriter, r *Request) error {
				_, err := io.WriteString(w, long)
				ends <- err
				return nil
			})
			base := serve(t, rt)
			// take takes n bytes, some at a time and for longer than the timeout, then the rest if it is to. longest is how long
			// nothing was taken.
			take := func(n int, rest bool) (got int, longest time.Duration, err error) {
				c := rawClient(t, base)
				defer c.Conn.Close()
				c.Raw([]byte("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
				began := time.Now()
				last := began
				for slow := true; err == nil && (rest || got < n && slow); {
					var k int64
					k, err = io.CopyN(io.Discard, c.Conn, 64<<10)
					got += int(k)
					if slow = slow && time.Since(began) < 3*timeout; slow {
						time.Sleep(10 * time.Millisecond)
					}
					longest = max(longest, time.Since(last))
					last = time.Now()
				}
				if err == io.EOF {
					err = nil
				}
				return got, longest, errors.Join(err, <-ends)
			}
			if _, _, err := take(1<<20, false); err == nil {
				t.Error("an answer that nobody reads was written")
			}
			awaitThat(t, "for an answer that was read", func() bool {
				got, longest, err := take(len(long), true)
				if (err != nil || got < len(long)) && longest < timeout/2 { // else the machine took the time, and not the peer
					t.Fatalf("%d bytes came, %v", got, err)
				}
				return err == nil && got >= len(long)
			})
		})
	}
}

// TestAnswerPace: who takes some of a long answer now and then, but less than 64 KiB within the timeout,
// is cut: he keeps what the answer needs from others. Who takes more is not, however it is cut into writes.
func TestAnswerPace(t *testing.T) {
	for _, test := range []struct {
		write, each int // bytes in a write, and that the peer takes each second
		cut         bool
	}{{1 << 20, 3 << 10, true}, {4 << 10, 3 << 10, true}, {1 << 20, 8 << 10, false}, {4 << 10, 8 << 10, false}} {
		t.Run(fmt.Sprint(test), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				var reading sync.WaitGroup
				defer func() {
					_, _ = ours.Close(), theirs.Close()
					reading.Wait()
				}()
				reading.Go(func() {
					buf := make([]byte, test.each)
					for {
						time.Sleep(time.Second)
						if _, err := io.ReadFull(theirs, buf); err != nil {
							return
						}
					}
				})
				c := &plainConn{Conn: ours, progress: 10 * time.Second}
				began, sent := time.Now(), 0
				var err error
				for sent < 1<<20 && err == nil {
					var n int
					n, err = c.Write(make([]byte, test.write))
					sent += n
				}
				if errors.Is(err, os.ErrDeadlineExceeded) != test.cut || !test.cut && err != nil {
					t.Errorf("%d bytes in %v, then %v", sent, time.Since(began), err)
				}
				if took := time.Since(began); test.cut && took > 11*time.Second {
					t.Errorf("cut after %v", took)
				}
			})
		})
	}
}

// TestAnswersPiecemeal: the time between writes is not the peer's.
func TestAnswersPiecemeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		var reading sync.WaitGroup
		defer func() {
			_, _ = ours.Close(), theirs.Close()
			reading.Wait()
		}()
		reading.Go(func() { _, _ = io.Copy(io.Discard, theirs) })
		c := &plainConn{Conn: ours, progress: 10 * time.Second}
		for n := range 100 { // of which 12 are a piece
			if _, err := c.Write(make([]byte, 5000)); err != nil {
				t.Fatalf("write %d: %v", n, err)
			}
			time.Sleep(c.progress / 4)
		}
	})
}
