// Package frame has the bytes of a WebSocket connection: frames as a server sends
// them, the head of a handshake and its answer, the payload of a close frame. It
// holds no state and no descriptor.
package frame

import "encoding/binary"

// Opcodes of RFC 6455 section 5.2.
const (
	Text   = 0x1
	Binary = 0x2
	Close  = 0x8
	Ping   = 0x9
	Pong   = 0xa
)

// MaxHeader is the size of the longest header of a server's frame.
const MaxHeader = 10

// MaxControl is how much a control frame may carry (RFC 6455 section 5.5).
const MaxControl = 125

// ClientHeader is the size of the header of a client's control frame, its mask included.
const ClientHeader = 6

// Append appends one unmasked, final frame (RFC 6455 section 5.2).
func Append(dst []byte, opcode byte, payload []byte) []byte {
	return append(appendHeader(dst, opcode, len(payload)), payload...)
}

// DataOpcode returns Binary, or Text.
func DataOpcode(binary bool) byte {
	if binary {
		return Binary
	}
	return Text
}

// Begin begins a frame whose payload is appended in place, which saves a copy through a
// second buffer; End ends it.
func Begin(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// End writes the header of the frame that Begin began at len(dst)
// start, with all that was appended since as its payload.
func End(dst []byte, start int, opcode byte) []byte {
	const reserved = 4 // right for 126 to 65 535 bytes, what a chat mostly says
	n := len(dst) - start - reserved
	var header [MaxHeader]byte
	h := appendHeader(header[:0], opcode, n)
	for len(h) > reserved && len(dst) < start+len(h)+n {
		dst = append(dst, 0)
	}
	if len(h) != reserved {
		copy(dst[start+len(h):], dst[start+reserved:start+reserved+n])
	}
	copy(dst[start:], h)
	return dst[:start+len(h)+n]
}

func appendHeader(dst []byte, opcode byte, n int) []byte {
	const fin = 0x80
	switch {
	case n <= MaxControl:
		return append(dst, fin|opcode, byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, fin|opcode, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, fin|opcode, 127), uint64(n))
	}
}

// Whole rounds n up to the end of a frame of p.
func Whole(p []byte, n int) int {
	end := n
	if n < len(p) {
		for end = 0; end < n; {
			end += Len(p[end:])
		}
	}
	return end
}

// Len returns the length of the unmasked frame that p begins with, its
// header included.
func Len(p []byte) int {
	switch n := int(p[1]); n {
	case 126:
		return 4 + int(binary.BigEndian.Uint16(p[2:]))
	case 127:
		return 10 + int(binary.BigEndian.Uint64(p[2:]))
	default:
		return 2 + n
	}
}
