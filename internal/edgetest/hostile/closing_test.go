package hostile

import (
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Who is being closed is not listened to for long, whatever he goes on to send.
func TestAfterClose(t *testing.T) {
	var endless []byte // fragments of a message
	endless = Frame(endless, 0x01, "x")
	for len(endless) < 1<<20 {
		endless = Frame(endless, 0x00, "x")
	}
	for _, c := range []struct {
		name string
		sent []byte
		code int
	}{
		{"a reserved opcode", Frame(nil, 0x83, ""), 1002},
		{"no UTF-8", Frame(nil, 0x81, "\xff"), 1007},
		{"too long", Frame(nil, 0x82, string(make([]byte, 1<<20))), 1009},
		{"too many fragments", endless, 1008},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			conn, err := Join(s.Addr, "den", "username=x")
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			raw, err := conn.Conn.(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 64<<10) })
			told := make(chan int, 1)
			go func() {
				defer close(told)
				for {
					opcode, payload, err := conn.Next()
					if err != nil {
						return
					}
					if opcode == 8 && len(payload) >= 2 {
						told <- int(payload[0])<<8 | int(payload[1])
						return
					}
				}
			}()
			_ = conn.SetWriteDeadline(time.Now().Add(30 * time.Second))
			n, _ := conn.Write(c.sent)
			began := time.Now()
			more := make([]byte, 64<<10)
			taken, end := int64(n), ""
			for time.Since(began) < 30*time.Second {
				n, err := conn.Write(more)
				if taken += int64(n); err != nil {
					end = err.Error()
					break
				}
			}
			took := time.Since(began)
			// Beside 64 KiB: what the kernels of both ends hold, and what was sent before the close.
			const limit = 8 << 20
			t.Logf("%s taken in %v, then %s", mib(taken), took.Round(time.Millisecond), end)
			if taken > limit {
				t.Errorf("%s were taken, want at most %s", mib(taken), mib(limit))
			}
			if took > 10*time.Second {
				t.Errorf("it was cut after %v, want 1 s", took)
			}
			if code := <-told; code != c.code {
				t.Errorf("told %d, want %d", code, c.code)
			}
			s.Stop()
		})
	}
}
