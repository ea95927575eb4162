package hostile

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// patience bounds what a well-behaved client waits for.
const patience = 60 * time.Second

// A Conn is a WebSocket that reads frames without allocating for each.
type Conn struct {
	net.Conn
	r   *bufio.Reader
	buf []byte
}

// Join connects to a room, with the rest of the query as it is, and the subprotocol for JSON.
func Join(addr, room, query string) (*Conn, error) { return JoinFrom("", addr, room, query) }

// JoinFrom is Join from an address of this machine, "" for any. A format in the query goes before that of the subprotocol.
func JoinFrom(from, addr, room, query string) (*Conn, error) {
	nc, err := dialFrom(from, addr)
	if err != nil {
		return nil, err
	}
	return joinOver(nc, room, query)
}

// joinTLS is Join over TLS.
func joinTLS(addr, room, query string) (*Conn, error) {
	nc, err := dialFrom("", addr)
	if err != nil {
		return nil, err
	}
	return joinOver(tls.Client(nc, anyCertificate()), room, query)
}

func joinOver(nc net.Conn, room, query string) (*Conn, error) {
	_ = nc.SetDeadline(time.Now().Add(patience))
	request := Handshake(room, query)
	if strings.Contains(query, "format=msgpack") {
		request = strings.Replace(request, "edgechat.v1.json", "edgechat.v1.msgpack", 1)
	}
	_, err := io.WriteString(nc, request)
	c := &Conn{Conn: nc, r: bufio.NewReaderSize(nc, 4096)}
	if err == nil {
		var resp *http.Response
		if resp, err = http.ReadResponse(c.r, nil); err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
			body, _ := io.ReadAll(resp.Body)
			err = fmt.Errorf("join %s: %s %s", room, resp.Status, body)
		}
	}
	if err != nil {
		_ = nc.Close()
		return nil, err
	}
	_ = nc.SetDeadline(time.Time{})
	return c, nil
}

func dialFrom(from, addr string) (net.Conn, error) {
	d := net.Dialer{Timeout: patience}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	return d.Dial("tcp", addr)
}

// Handshake is the request that Join sends.
func Handshake(room, query string) string {
	return strings.Join([]string{
		"GET /chat/room/" + room + "?" + query + " HTTP/1.1", "Host: x",
		"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: edgechat.v1.json", "\r\n",
	}, "\r\n")
}

// Next returns the next frame. The payload is good until the next call.
func (c *Conn) Next() (opcode byte, payload []byte, err error) {
	var h [10]byte
	if _, err := io.ReadFull(c.r, h[:2]); err != nil {
		return 0, nil, err
	}
	n := uint64(h[1])
	switch n {
	case 126:
		_, err = io.ReadFull(c.r, h[2:4])
		n = uint64(binary.BigEndian.Uint16(h[2:]))
	case 127:
		_, err = io.ReadFull(c.r, h[2:10])
		n = binary.BigEndian.Uint64(h[2:])
	}
	if err != nil {
		return 0, nil, err
	}
	if n > 1<<20 {
		return 0, nil, fmt.Errorf("frame of %d bytes", n)
	}
	if uint64(cap(c.buf)) < n {
		c.buf = make([]byte, n)
	}
	payload = c.buf[:n]
	_, err = io.ReadFull(c.r, payload)
	return h[0] & 0xf, payload, err
}

// say appends the frame of a message, whose content is shorter than 32 bytes.
func say(b []byte, msgpack bool, content string) []byte {
	if msgpack {
		return Frame(b, 0x82, "\x82\xa4type\xa7message\xa7content"+string([]byte{0xa0 | byte(len(content))})+content)
	}
	return Frame(b, 0x81, `{"type":"message","content":"`+content+`"}`)
}

// heard returns the content of a message that say has said, in either format.
func heard(opcode byte, payload []byte) (content []byte, ok bool) {
	switch opcode {
	case 1:
		_, content, ok = bytes.Cut(payload, []byte(`"content":"`))
		content, _, _ = bytes.Cut(content, []byte{'"'})
	case 2:
		if _, content, ok = bytes.Cut(payload, []byte("\xa7content")); ok {
			content = content[1:][:content[0]&0x1f]
		}
	}
	return content, ok
}

// Frame appends a masked frame with this first byte. The mask is 0, which leaves the payload as it is.
func Frame(b []byte, first byte, payload string) []byte {
	switch n := len(payload); {
	case n <= 125:
		b = append(b, first, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, first, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, first, 0x80|127), uint64(n))
	}
	return append(append(b, 0, 0, 0, 0), payload...)
}
