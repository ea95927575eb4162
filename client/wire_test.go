package client

import (
	"crypto/sha1"
	"encoding/base64"
	"io"
	"net"
	"strings"
	"testing"

	"edgechat/internal/edgetest"
)

// request reads the head of a request.
func request(t *testing.T, c net.Conn) string {
	t.Helper()
	var b strings.Builder
	one := make([]byte, 1)
	for !strings.HasSuffix(b.String(), "\r\n\r\n") {
		if _, err := c.Read(one); err != nil {
			t.Fatal(err)
		}
		b.Write(one)
	}
	return b.String()
}

func header(head, name string) string {
	for line := range strings.SplitSeq(head, "\r\n") {
		if n, value, _ := strings.Cut(line, ": "); strings.EqualFold(n, name) {
			return value
		}
	}
	return ""
}

// accepted is the answer to a key of a handshake (RFC 6455 section 4.2.2).
func accepted(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// unmasked is a frame of a server, of up to 64 KiB.
func unmasked(opcode byte, payload string) []byte {
	b := []byte{0x80 | opcode, byte(len(payload))}
	if len(payload) > 125 {
		b = []byte{0x80 | opcode, 126, byte(len(payload) >> 8), byte(len(payload))}
	}
	return append(b, payload...)
}

// readFrame reads a frame of the client, of up to 64 KiB.
func readFrame(c *edgetest.Client) (opcode byte, payload []byte, err error) {
	read := func(n int) []byte {
		p := make([]byte, n)
		if err == nil {
			_, err = io.ReadFull(c.Conn, p)
		}
		return p
	}
	h := read(2)
	n := int(h[1] & 0x7f)
	if n == 126 {
		more := read(2)
		n = int(more[0])<<8 | int(more[1])
	}
	mask := read(4)
	payload = read(n)
	for i := range payload {
		payload[i] ^= mask[i&3]
	}
	return h[0] & 0xf, payload, err
}

// frameOf is readFrame where there is one.
func frameOf(t *testing.T, c *edgetest.Client) (opcode byte, payload []byte) {
	t.Helper()
	opcode, payload, err := readFrame(c)
	if err != nil {
		t.Fatal(err)
	}
	return opcode, payload
}

// receive reads the text frame that comes next.
func receive(t *testing.T, c *edgetest.Client) []byte {
	t.Helper()
	op, p := frameOf(t, c)
	if op != edgetest.OpText {
		t.Fatalf("it sent opcode %x %q", op, p)
	}
	return p
}
