package ws

import (
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
)

// TestMessageTimeout: a message that is not whole in time closes its connection,
// whatever comes of it meanwhile; one that is slow and comes in time does not, nor does silence.
func TestMessageTimeout(t *testing.T) { each(t, testMessageTimeout) }

func testMessageTimeout(t *testing.T, v variant) {
	url, rt, _ := echo(t, v.with(Config{MessageTimeout: 400 * time.Millisecond}), 0)
	silent := edgetest.Dial(t, url+v.path)
	silent.Text("whole")
	silent.ExpectText("whole")
	for name, trickle := range map[string]string{
		"a byte now and then": masked(0x81, strings.Repeat("x", 100_000>>4)),
		"fragments":           masked(0x01, "x") + strings.Repeat(masked(0x00, "x"), 1000),
		"pings between":       masked(0x01, "x") + strings.Repeat(masked(0x89, "p"), 1000),
	} {
		c := edgetest.Dial(t, url+v.path)
		step := 1
		if name != "a byte now and then" {
			step = 7
		}
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for at := 0; at+step <= len(trickle); at += step {
				if _, err := c.Conn.Write([]byte(trickle[at : at+step])); err != nil {
					return
				}
				time.Sleep(5 * time.Millisecond)
			}
		}()
		for {
			op, p, err := c.Read()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if op == edgetest.OpPong {
				continue
			}
			code, reason := 0, ""
			if op == edgetest.OpClose {
				code, reason = int(p[0])<<8|int(p[1]), string(p[2:])
			}
			if code != refusal.ClosePolicyViolation || !strings.HasPrefix(reason, "message_timeout: ") {
				t.Errorf("%s: closed with %d %q", name, code, reason)
			}
			break
		}
		_ = c.Conn.Close()
		<-sent
	}
	if n := rt.Stats().Stalled; n != 3 {
		t.Errorf("%d counted", n)
	}
	silent.Text("still here")
	silent.ExpectText("still here")
}

// TestUnwrittenFrame: the rest of one large frame that the peer takes its time over is no
// reason to close the connection for what it is sent besides.
func TestUnwrittenFrame(t *testing.T) { eachReact(t, testUnwrittenFrame) }

func testUnwrittenFrame(t *testing.T, v variant) {
	client, c := opened(t, v, Config{SendBuffer: 16 << 10, MaxPending: 16 << 10})
	large := strings.Repeat("x", 8<<20) // more than both kernels hold
	s := dueFrame([]byte(large))
	c.Attach(s)
	for n := range 5 {
		if err := c.SendPayload(false, []byte("small")); err != nil {
			t.Fatalf("%d frames behind the large one: %v", n, err)
		}
	}
	if got := string(client.Expect(edgetest.OpText)); got != large {
		t.Errorf("%d bytes came instead of %d", len(got), len(large))
	}
	for range 5 {
		client.ExpectText("small")
	}
}
