package hostile

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// slow are those who take their time: each is cut when it is over, and not before.
func slow(t *testing.T, addr string) {
	const headTime, messageTime = 10 * time.Second, 20 * time.Second
	handshake := Handshake("slow", "username=slow")
	body := "POST /chat/room/slow/messages HTTP/1.1\r\nHost: x\r\n"
	fragment := func(first byte) string { return string(edgetest.FrameBits(first, []byte(`{`))) }
	var all sync.WaitGroup
	for _, c := range []struct {
		name, first, more string // sent at once, and then again and again
		every             time.Duration
		cut               time.Duration
		answer            string // in what came before the cut
	}{
		{"says nothing", "", "", 0, headTime, ""},
		{"half a head", handshake[:50], "", 0, headTime, ""},
		{"a byte of a head now and then", "GET /", "a", 500 * time.Millisecond, headTime, ""},
		{"a field now and then", "GET / HTTP/1.1\r\nHost: x\r\n", "X: y\r\n", 500 * time.Millisecond, headTime, ""},
		{"half a body", body + "Content-Length: 100\r\n\r\n", "", 0, messageTime, "400 Bad Request"},
		{"a byte of a body now and then", body + "Content-Length: 100\r\n\r\n", "a", time.Second, messageTime, "400 Bad Request"},
		{"a chunk now and then", body + "Transfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n", time.Second, messageTime, "400 Bad Request"},
		{"half a frame", handshake + string(edgetest.Frame(edgetest.OpText, []byte(`{"type":"typing"}`))[:9]), "", 0, messageTime, "message_timeout"},
		{"a fragment now and then", handshake + fragment(0x01), fragment(0x00), time.Second, messageTime, "message_timeout"},
		{"pings within a message", handshake + fragment(0x01), string(edgetest.Frame(edgetest.OpPing, nil)), time.Second, messageTime, "message_timeout"},
	} {
		all.Go(func() {
			nc, err := net.DialTimeout("tcp", addr, patience)
			if err != nil {
				t.Error(err)
				return
			}
			defer nc.Close()
			began := time.Now()
			if _, err := io.WriteString(nc, c.first); err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			over := make(chan struct{})
			var sending sync.WaitGroup
			sending.Go(func() {
				for c.more != "" {
					select {
					case <-over:
						return
					case <-time.After(c.every):
						_, _ = io.WriteString(nc, c.more) // fails behind the end
					}
				}
			})
			_ = nc.SetReadDeadline(time.Now().Add(patience))
			came, _ := io.ReadAll(nc)
			took := time.Since(began)
			close(over)
			sending.Wait()
			// The clock of the server's deadlines ticks, at worst, in tenths of them; and it is a busy machine.
			if took < c.cut-100*time.Millisecond || took > c.cut+15*time.Second {
				t.Errorf("%s: cut after %v, want %v", c.name, took, c.cut)
			}
			if !strings.Contains(string(came), c.answer) {
				t.Errorf("%s: got %q, want %q", c.name, came, c.answer)
			}
		})
	}
	all.Wait()
}
