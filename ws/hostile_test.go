package ws

import (
	"bytes"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/internal/edgetest/hostile"
	"edgechat/refusal"
	"edgechat/ws/internal/frame"
)

// masked is a masked frame with any first byte.
func masked(first byte, payload string) string {
	return string(edgetest.FrameBits(first, []byte(payload)))
}

// TestHostileFrames sends what no client should. The server answers with a
// close frame that names the fault, and goes on to serve others.
func TestHostileFrames(t *testing.T) {
	const limit = 1000
	each(t, func(t *testing.T, v variant) {
		base, rt, ends := echo(t, v.with(Config{CloseTimeout: 50 * time.Millisecond}), limit)
		for _, test := range hostile.Frames(limit) {
			c := edgetest.Dial(t, base+v.path)
			_, _ = c.Conn.Write([]byte(test.Bytes)) // the answer may come before the end of it
			if test.Code == hostile.Taken {
				c.ExpectText("")
				c.Close()
				<-ends
				continue
			}
			code, reason := c.ExpectClose()
			if code != test.Code || !strings.Contains(reason, test.Reason) {
				t.Errorf("%s: closed with %d %q, want %d %q", test.Name, code, reason, test.Code, test.Reason)
			}
			<-ends
		}
		// The server is whole: a good client is served.
		c := edgetest.Dial(t, base+v.path)
		c.Text("still there")
		c.ExpectText("still there")
		c.Close()
		<-ends
		if n := rt.Stats().Violated; n < 15 {
			t.Errorf("%d violations counted", n)
		}
	})
}

// TestHostileCuts sends good messages cut in every way.
func TestHostileCuts(t *testing.T) {
	const limit = 70_000
	each(t, func(t *testing.T, v variant) {
		base, _, _ := echo(t, v.with(Config{MaxPending: 1 << 20}), limit)
		t.Run("byte by byte", func(t *testing.T) {
			c := edgetest.Dial(t, base+v.path)
			for _, b := range []byte(masked(0x81, "hello") + masked(0x01, "frag") + masked(0x89, "p") + masked(0x80, "ment")) {
				c.Raw([]byte{b})
			}
			c.ExpectText("hello")
			if p := c.Expect(edgetest.OpPong); string(p) != "p" {
				t.Errorf("pong carries %q", p)
			}
			c.ExpectText("fragment")
		})
		t.Run("several in one segment", func(t *testing.T) {
			c := edgetest.Dial(t, base+v.path)
			c.Raw([]byte(masked(0x81, "one") + masked(0x8a, "unasked pong") + masked(0x81, "two") + masked(0x82, "three") + masked(0x81, "")))
			for _, want := range []string{"one", "two", "three", ""} {
				c.ExpectText(want)
			}
		})
		t.Run("with the handshake", func(t *testing.T) {
			u, err := url.Parse(base + v.path)
			if err != nil {
				t.Fatal(err)
			}
			conn, err := net.Dial("tcp", u.Host)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			c := edgetest.NewClient(t, conn)
			c.Raw([]byte(edgetest.Handshake(u) + masked(0x81, "hasty") + masked(0x81, "client")[:3]))
			c.ReadResponse()
			c.ExpectText("hasty")
			c.Raw([]byte(masked(0x81, "client")[3:]))
			c.ExpectText("client")
		})
		t.Run("as large as the limit", func(t *testing.T) {
			c := edgetest.Dial(t, base+v.path)
			for _, n := range []int{125, 126, 4096, 65_535, 65_536, limit} {
				want := strings.Repeat("x", n)
				c.Text(want)
				if got := c.Expect(edgetest.OpText); string(got) != want {
					t.Errorf("%d bytes came back as %d", n, len(got))
				}
			}
		})
		t.Run("pings of every length", func(t *testing.T) {
			c := edgetest.Dial(t, base+v.path)
			for n := range frame.MaxControl + 1 {
				want := bytes.Repeat([]byte{byte(n)}, n)
				c.Raw(edgetest.Frame(edgetest.OpPing, want))
				if got := c.Expect(edgetest.OpPong); !bytes.Equal(got, want) {
					t.Fatalf("ping of %d bytes: pong carries %q", n, got)
				}
			}
		})
	})
}

// TestHostileEnds ends connections without a close frame.
func TestHostileEnds(t *testing.T) {
	each(t, func(t *testing.T, v variant) {
		base, rt, ends := echo(t, v.with(Config{}), 0)
		abnormal := func(err error) bool {
			e, ok := err.(*CloseError)
			return ok && e.Code == refusal.CloseAbnormal
		}
		t.Run("half-close", func(t *testing.T) {
			c := edgetest.Dial(t, base+v.path)
			c.Text("last words")
			if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			c.ExpectText("last words")
			if _, _, err := c.Read(); err == nil {
				t.Error("a frame after the end")
			}
			if err := <-ends; !abnormal(err) {
				t.Errorf("ended with %v", err)
			}
		})
		t.Run("reset", func(t *testing.T) {
			c := edgetest.Dial(t, base+v.path)
			if err := c.Conn.(*net.TCPConn).SetLinger(0); err != nil {
				t.Fatal(err)
			}
			_ = c.Conn.Close()
			if err := <-ends; !abnormal(err) {
				t.Errorf("ended with %v", err)
			}
		})
		t.Run("in the middle of a frame", func(t *testing.T) {
			c := edgetest.Dial(t, base+v.path)
			c.Raw([]byte(masked(0x81, "hello")[:8]))
			_ = c.Conn.Close()
			if err := <-ends; !abnormal(err) {
				t.Errorf("ended with %v", err)
			}
		})
		awaitThat(t, "no connection is left", func() bool { return rt.Stats().Open == 0 })
	})
}
