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
			rt := newRouter(t, Config{driver: v, WriteTimeout: 400 * time.Millisecond, SendBuffer: 16 << 10})
			ends := make(chan error, 1)
			long := strings.Repeat("x", 16<<20)
			rt.HTTP("GET", "/", func(w http.ResponseWriter, r *Request) error {
				_, err := io.WriteString(w, long)
				ends <- err
				return nil
			})
			base := serve(t, rt)
			for _, stops := range []bool{false, true} {
				c := rawClient(t, base)
				c.Raw([]byte("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
				began, got := time.Now(), 0
				for time.Since(began) < time.Second && got < len(long) { // more than the timeout, some at a time
					n, err := io.CopyN(io.Discard, c.Conn, 64<<10)
					if got += int(n); err != nil {
						t.Fatal(err)
					}
					time.Sleep(10 * time.Millisecond)
				}
				if stops {
					if err := <-ends; err == nil {
						t.Error("an answer that nobody reads was written")
					}
					continue
				}
				rest, err := io.Copy(io.Discard, c.Conn)
				if err != nil || got+int(rest) < len(long) {
					t.Errorf("%d bytes came, %v", got+int(rest), err)
				}
				if err := <-ends; err != nil {
					t.Error(err)
				}
			}
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
	const timeout = 200 * time.Millisecond
	rt := newRouter(t, Config{WriteTimeout: timeout})
	rt.HTTP("GET", "/", func(w http.ResponseWriter, r *Request) (err error) {
		for range 10 {
			if _, err = io.WriteString(w, strings.Repeat("x", 5000)); err != nil {
				t.Error(err)
			}
			time.Sleep(timeout / 4)
		}
		return nil
	})
	c := rawClient(t, serve(t, rt))
	c.Raw([]byte("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
	all, err := io.ReadAll(c.Conn)
	if n := strings.Count(string(all), "x"); err != nil || n < 50_000 {
		t.Errorf("%d bytes came, %v", n, err)
	}
}
