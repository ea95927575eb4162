package ws

import (
	"bytes"
	"encoding/hex"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/refusal"
	"edgechat/ws/internal/frame"
)

// masked is a masked frame with any first byte.
func masked(first byte, payload string) string {
	return string(edgetest.FrameBits(first, []byte(payload)))
}

func unhex(s string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return string(b)
}

// taken stands for a frame that is taken for an empty message.
const taken = -1

// bits returns what goes with the size of an int.
func bits(in64, in32 int) int {
	if strconv.IntSize == 64 {
		return in64
	}
	return in32
}

// TestHostileFrames sends what no client should. The server answers with a
// close frame that names the fault, and goes on to serve others.
func TestHostileFrames(t *testing.T) {
	const limit = 1000
	tests := []struct {
		name, bytes string
		code        int
		reason      string
	}{
		// These fourteen bytes end a process that runs gws v1.9.1's ReadLoop on
		// a goroutine of its own. With 32 bits it keeps the low half of a length alone.
		{"negative length", unhex("82ff 8000000000000000 01020304"), bits(1002, taken), "impossible length"},
		{"length of 2^63-1", unhex("82ff 7fffffffffffffff 01020304"), bits(1009, 1002), ""},
		{"length that is negative in 32 bits", unhex("82ff 0000000080000000 01020304"), bits(1009, 1002), ""},
		{"unmasked", "\x81\x02hi", 1002, "not a valid WebSocket frame"},
		{"reserved bit 1", masked(0xc1, "hi"), 1002, ""},
		{"reserved bit 2", masked(0xa1, "hi"), 1002, ""},
		{"reserved bit 3", masked(0x91, "hi"), 1002, ""},
		{"unknown data opcode", masked(0x83, "hi"), 1002, ""},
		{"unknown control opcode", masked(0x8b, ""), 1002, ""},
		{"fragmented ping", masked(0x09, "hi"), 1002, ""},
		{"ping of 126 bytes", masked(0x89, strings.Repeat("x", 126)), 1002, ""},
		{"continuation of nothing", masked(0x80, "hi"), 1002, ""},
		{"text within a fragmented text", masked(0x01, "a") + masked(0x81, "b"), 1002, ""},
		{"text that is no UTF-8", masked(0x81, "a\xff"), 1007, "not valid UTF-8"},
		{"fragments that are no UTF-8 together", masked(0x01, "a\xe2\x82") + masked(0x80, "b"), 1007, ""},
		{"over the limit", masked(0x81, strings.Repeat("x", limit+1)), 1009, "longer than 1000 bytes"},
		{"fragments over the limit", masked(0x01, strings.Repeat("x", limit)) + masked(0x80, "x"), 1009, ""},
		{"endless empty fragments", masked(0x01, "") + strings.Repeat(masked(0x00, ""), 4000), 1008, "too many fragments"},
		{"close with one byte", masked(0x88, "\x03"), 1002, ""},
		{"close with a reserved code", masked(0x88, "\x03\xed"), 1002, ""}, // 1005
		{"close with an impossible code", masked(0x88, "\x00\x01"), 1002, ""},
		{"close with bad UTF-8", masked(0x88, "\x03\xe8\xff"), 1007, ""},
		{"close with 1000", masked(0x88, "\x03\xe8bye"), 1000, ""},
		{"close with 1001", masked(0x88, "\x03\xe9"), 1000, ""},
		{"close with 4000", masked(0x88, "\x0f\xa0"), 4000, ""},
		{"close without a code", masked(0x88, ""), 1005, ""},
	}
	each(t, func(t *testing.T, v variant) {
		base, rt, ends := echo(t, v.with(Config{CloseTimeout: 50 * time.Millisecond}), limit)
		for _, test := range tests {
			c := edgetest.Dial(t, base+v.path)
			_, _ = c.Conn.Write([]byte(test.bytes)) // the answer may come before the end of it
			if test.code == taken {
				c.ExpectText("")
				c.Close()
				<-ends
				continue
			}
			code, reason := c.ExpectClose()
			if code != test.code || !strings.Contains(reason, test.reason) {
				t.Errorf("%s: closed with %d %q, want %d %q", test.name, code, reason, test.code, test.reason)
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
