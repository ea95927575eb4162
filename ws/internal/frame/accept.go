package frame

import (
	"crypto/sha1"
	"encoding/base64"
	"slices"
)

// ValidKey reports whether a Sec-WebSocket-Key is 16 bytes in base64. The bits behind the
// last byte may be anything, as in the example of RFC 6455 section 4.1.
func ValidKey(key string) bool {
	var raw [18]byte
	n := 0
	if len(key) == base64.StdEncoding.EncodedLen(16) {
		n, _ = base64.StdEncoding.Decode(raw[:], []byte(key)) // what is wrong leaves fewer
	}
	return n == 16
}

// AppendSwitching appends the answer to a handshake (RFC 6455 section 4.2.2).
func AppendSwitching(dst []byte, key, subprotocol string) []byte {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	var in [len(guid) + 24]byte
	sum := sha1.Sum(append(append(in[:0], key...), guid...))
	dst = slices.Grow(dst, 160+len(subprotocol)) // nothing is copied twice
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	dst = base64.StdEncoding.AppendEncode(dst, sum[:])
	if subprotocol != "" {
		dst = append(append(dst, "\r\nSec-WebSocket-Protocol: "...), subprotocol...)
	}
	return append(dst, "\r\n\r\n"...)
}
