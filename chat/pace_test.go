package chat

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// TestFastPublisher: one member writes without a pause to members who do nothing but
// read. It is slowed down to their pace: nobody is closed, nobody falls out of the room's
// log, nothing is missing. Who reads nothing, or next to nothing, is not waited for.
func TestFastPublisher(t *testing.T) {
	const n = 20_000
	for _, test := range []struct {
		name    string
		readers int
		slow    time.Duration // another reads 100 bytes in each; 0: there is none, or it reads nothing
		deaf    bool
	}{
		{"one reader", 1, 0, false},
		{"ten readers", 10, 0, false},
		{"one is deaf", 3, 0, true},
		{"one trickles", 3, 50 * time.Millisecond, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			var readers, slow sync.WaitGroup
			for range test.readers {
				c := r.room("den", "", jsonHeader)
				c.JSONOf("joined")
				readers.Go(func() { checkStream(t, c, edgetest.OpText, 1, n) })
			}
			others := uint64(0)
			if test.deaf || test.slow > 0 {
				others = 1
				c := r.room("den", "username=slow", jsonHeader).Conn
				if err := c.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
					t.Fatal(err)
				}
				if test.slow > 0 {
					slow.Go(func() { trickle(c, test.slow) })
				}
				defer slow.Wait()
				defer c.Close()
			}
			pour(t, r.room("den", "username=fast", jsonHeader), n, "")
			readers.Wait()
			s := r.hub.Stats()
			if s.Lost > others || others == 0 && s.Lagged > 0 {
				t.Errorf("%d lost, %d fell out of the log", s.Lost, s.Lagged)
			}
			t.Logf("%+v", s)
		})
	}
}

// pour has c say "<no. 1>" to "<no. n>", and more behind each, without a pause, while it reads what comes
// back.
func pour(t *testing.T, c *edgetest.Client, n int, more string) {
	go discard(c.Conn) // ends with the test's connections
	var buf []byte
	for i := range n {
		buf = append(buf, edgetest.Frame(edgetest.OpText, fmt.Appendf(nil, `{"type":"message","content":"<no. %d>%s"}`, i+1, more))...)
		if len(buf) < 32<<10 && i < n-1 {
			continue
		}
		if _, err := c.Conn.Write(buf); err != nil {
			t.Errorf("the publisher was cut before message %d: %v", i+1, err)
			return
		}
		buf = buf[:0]
	}
}

// trickle reads 100 bytes in each interval until c is closed.
func trickle(c net.Conn, interval time.Duration) {
	buf := make([]byte, 100)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
		time.Sleep(interval)
	}
}
