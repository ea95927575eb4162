package hostile

import (
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// head returns what a server says, up to the empty line behind a head.
func head(c net.Conn, within time.Duration) (string, error) {
	var b strings.Builder
	one := make([]byte, 1)
	_ = c.SetReadDeadline(time.Now().Add(within))
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		if _, err := io.ReadFull(c, one); err != nil {
			return b.String(), err
		}
		b.Write(one)
	}
	return b.String(), nil
}

// Many who say nothing come at once, and one who does behind them: nobody waits because others are silent.
func TestSilentCrowd(t *testing.T) {
	const within = 30 * time.Second
	for _, silent := range []int{64, 100, 300} {
		for _, request := range []string{Handshake("den", "username=x"), "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"} {
			t.Run(fmt.Sprintf("%d/%s", silent, strings.Fields(request)[1]), func(t *testing.T) {
				s := serve(t)
				s.Signal(syscall.SIGSTOP)
				for range silent {
					dial(t, s.Addr)
				}
				c := dial(t, s.Addr)
				if _, err := io.WriteString(c, request); err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				s.Signal(syscall.SIGCONT)
				if answer, err := head(c, within); err != nil {
					t.Errorf("no answer in %v: %q, %v", within, answer, err)
				}
				t.Logf("answered after %v", time.Since(began))
			})
		}
	}
}
