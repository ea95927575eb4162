// Package edgetest is what the tests of several packages share: a WebSocket
// client that shows and sends every byte, and a check for leaked goroutines. It
// is for tests alone.
package edgetest

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Opcodes of RFC 6455 section 5.2.
const (
	OpContinuation = 0x0
	OpText         = 0x1
	OpBinary       = 0x2
	OpClose        = 0x8
	OpPing         = 0x9
	OpPong         = 0xa
)

// A Client is a WebSocket connection as bytes. Any error but those that the
// methods return ends the test.
type Client struct {
	Conn     net.Conn
	Response *http.Response
	T        testing.TB
	// Timeout bounds each read and write. Default 30 s, for machines that are busy.
	Timeout time.Duration
	br      *bufio.Reader
}

// Dial connects to a ws:// or http:// URL with these headers ("Key: value")
// beside those of a handshake, and fails the test unless the answer is 101. The
// connection is cut when the test ends.
func Dial(t testing.TB, rawURL string, headers ...string) *Client {
	t.Helper()
	c := TryDial(t, rawURL, headers...)
	if c.Response.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(c.Response.Body)
		t.Fatalf("dial %s: %s %s", rawURL, c.Response.Status, body)
	}
	return c
}

// TryDial is Dial for any answer.
func TryDial(t testing.TB, rawURL string, headers ...string) *Client {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := NewClient(t, conn)
	c.Raw([]byte(Handshake(u, headers...)))
	c.ReadResponse()
	return c
}

// NewClient wraps a connection on which no handshake was sent yet.
func NewClient(t testing.TB, conn net.Conn) *Client {
	return &Client{Conn: conn, T: t, Timeout: 30 * time.Second, br: bufio.NewReader(conn)}
}

// Handshake returns the request that Dial sends.
func Handshake(u *url.URL, headers ...string) string {
	lines := append([]string{
		"GET " + u.RequestURI() + " HTTP/1.1", "Host: " + u.Host,
		"Upgrade: websocket", "Connection: Upgrade",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// ReadResponse reads the answer to the handshake.
func (c *Client) ReadResponse() {
	c.T.Helper()
	if err := c.readResponse(); err != nil {
		c.T.Fatalf("handshake: %v", err)
	}
}

// Ask writes a request and reads the answer, where there may be none.
func (c *Client) Ask(request string) error {
	if err := c.deadline(); err != nil {
		return err
	}
	if _, err := io.WriteString(c.Conn, request); err != nil {
		return err
	}
	return c.readResponse()
}

func (c *Client) readResponse() (err error) {
	if err = c.deadline(); err == nil {
		c.Response, err = http.ReadResponse(c.br, nil)
	}
	return err
}

func (c *Client) deadline() error { return c.Conn.SetDeadline(time.Now().Add(c.Timeout)) }

// Raw writes bytes as they are.
func (c *Client) Raw(p []byte) {
	c.T.Helper()
	err := c.deadline()
	if err == nil {
		_, err = c.Conn.Write(p)
	}
	if err != nil {
		c.T.Fatalf("write: %v", err)
	}
}

// Text writes a text message.
func (c *Client) Text(s string) { c.T.Helper(); c.Raw(Frame(OpText, []byte(s))) }

// Binary writes a binary message.
func (c *Client) Binary(p []byte) { c.T.Helper(); c.Raw(Frame(OpBinary, p)) }

// Frame returns a final, masked frame.
func Frame(opcode byte, payload []byte) []byte { return FrameBits(0x80|opcode, payload) }

// FrameBits is Frame for any first byte.
func FrameBits(first byte, payload []byte) []byte {
	var b []byte
	switch n := len(payload); {
	case n <= 125:
		b = []byte{first, 0x80 | byte(n)}
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16([]byte{first, 0x80 | 126}, uint16(n))
	default:
		b = binary.BigEndian.AppendUint64([]byte{first, 0x80 | 127}, uint64(n))
	}
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, mask[:]...)
	for i, x := range payload {
		b = append(b, x^mask[i&3])
	}
	return b
}

// FrameLen returns the length of a server's frame of up to 64 KiB, header included, of which p
// has the first four bytes.
func FrameLen(p []byte) int {
	if p[1] == 126 {
		return 4 + int(binary.BigEndian.Uint16(p[2:]))
	}
	return 2 + int(p[1])
}

// Read returns the next frame. The error is that of the connection, or of a
// frame that a server must not send.
func (c *Client) Read() (opcode byte, payload []byte, err error) {
	if err := c.deadline(); err != nil {
		return 0, nil, err
	}
	var h [10]byte
	if _, err := io.ReadFull(c.br, h[:2]); err != nil {
		return 0, nil, err
	}
	if h[0]&0xf0 != 0x80 || h[1]&0x80 != 0 {
		return 0, nil, fmt.Errorf("frame header % x: not final, reserved bits, or masked", h[:2])
	}
	n := uint64(h[1])
	switch n {
	case 126:
		_, err = io.ReadFull(c.br, h[2:4])
		n = uint64(binary.BigEndian.Uint16(h[2:]))
	case 127:
		_, err = io.ReadFull(c.br, h[2:10])
		n = binary.BigEndian.Uint64(h[2:])
	}
	if err != nil {
		return 0, nil, err
	}
	if n > 1<<24 {
		return 0, nil, fmt.Errorf("frame of %d bytes", n)
	}
	payload = make([]byte, n)
	_, err = io.ReadFull(c.br, payload)
	return h[0] & 0xf, payload, err
}

// Expect reads the next frame, pings left out, and fails unless it is of this kind.
func (c *Client) Expect(opcode byte) []byte {
	c.T.Helper()
	for {
		op, p, err := c.Read()
		if err != nil {
			c.T.Fatalf("read: %v", err)
		}
		if op == OpPing && opcode != OpPing {
			continue
		}
		if op != opcode {
			c.T.Fatalf("got opcode %d %q, want opcode %d", op, p, opcode)
		}
		return p
	}
}

// ExpectText reads a text message and fails unless it is want.
func (c *Client) ExpectText(want string) {
	c.T.Helper()
	if got := string(c.Expect(OpText)); got != want {
		c.T.Fatalf("got %q, want %q", got, want)
	}
}

// JSON reads a text message as a JSON object.
func (c *Client) JSON() map[string]any {
	c.T.Helper()
	p := c.Expect(OpText)
	var m map[string]any
	if err := json.Unmarshal(p, &m); err != nil {
		c.T.Fatalf("not JSON: %q: %v", p, err)
	}
	return m
}

// JSONOf reads text messages until one has this type.
func (c *Client) JSONOf(typ string) map[string]any {
	c.T.Helper()
	for {
		if m := c.JSON(); m["type"] == typ {
			return m
		}
	}
}

// ExpectClose reads until the close frame and returns its code and reason;
// the code is 1005 if it has none, and 1006 if the connection ended without one.
func (c *Client) ExpectClose() (code int, reason string) {
	c.T.Helper()
	for {
		op, p, err := c.Read()
		if err != nil {
			return 1006, err.Error()
		}
		if op != OpClose {
			continue
		}
		if len(p) < 2 {
			return 1005, ""
		}
		return int(binary.BigEndian.Uint16(p)), string(p[2:])
	}
}

// Close does the closing handshake with code 1000.
func (c *Client) Close() {
	c.T.Helper()
	c.Raw(Frame(OpClose, []byte{1000 >> 8, 1000 & 0xff}))
	c.ExpectClose()
	_ = c.Conn.Close()
}
