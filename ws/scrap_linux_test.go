package ws

import (
	"io"
	"net"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
)

// TestScrap: who sends more behind a fault than is read and dropped gets the close frame and the end, and no reset before
// CloseTimeout: a client that still sends gives up at that, whatever it was sent before. Nor is what it sends read for ever.
func TestScrap(t *testing.T) { each(t, testScrap) }

func testScrap(t *testing.T, v variant) {
	url, rt, _ := echo(t, v.with(Config{}), 0)
	c := edgetest.Dial(t, url+v.path)
	tcp := c.Conn.(*net.TCPConn)
	_ = tcp.SetWriteBuffer(1 << 20)
	began := time.Now()
	c.Raw(append([]byte(masked(0xc1, "a reserved bit")), make([]byte, 4*maxScrap)...)) // at once: the close frame comes before it is read
	if code, reason := c.ExpectClose(); code != refusal.CloseProtocolError {
		t.Fatalf("closed with %d %s", code, reason)
	}
	if _, _, err := c.Read(); err != io.EOF {
		t.Errorf("behind the close frame: %v", err)
	}
	const most = 8 << 20 // what two kernels take that nobody reads
	for sent := 0; sent < most; {
		n, err := tcp.Write(make([]byte, 64<<10)) // waits, once the kernels are full
		if sent += n; err == nil {
			continue
		}
		if after := time.Since(began); after < rt.cfg.CloseTimeout {
			t.Errorf("reset %v after the fault", after)
		}
		return
	}
	t.Errorf("%d bytes were taken after the close frame", most)
}
