package ws

import "encoding/binary"

// Opcodes of RFC 6455 section 5.2.
const (
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xa
)

// MaxFrameHeader is the size of the longest header of a server's frame.
const MaxFrameHeader = 10

// maxControl is how much a control frame may carry (RFC 6455 section 5.5).
const maxControl = 125

// AppendFrame appends one unmasked, final frame (RFC 6455 section 5.2): text, or binary.
func AppendFrame(dst []byte, binary bool, payload []byte) []byte {
	return append(appendHeader(dst, dataOpcode(binary), len(payload)), payload...)
}

// A frame whose payload is appended in place is begun with BeginFrame and
// ended with EndFrame, which saves a copy through a second buffer.
func BeginFrame(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// EndFrame writes the header of the frame that BeginFrame began at len(dst)
// start, with all that was appended since as its payload.
func EndFrame(dst []byte, start int, binary bool) []byte {
	const reserved = 4 // right for 126 to 65 535 bytes, what a chat mostly says
	n := len(dst) - start - reserved
	var header [MaxFrameHeader]byte
	h := appendHeader(header[:0], dataOpcode(binary), n)
	for len(h) > reserved && len(dst) < start+len(h)+n {
		dst = append(dst, 0)
	}
	if len(h) != reserved {
		copy(dst[start+len(h):], dst[start+reserved:start+reserved+n])
	}
	copy(dst[start:], h)
	return dst[:start+len(h)+n]
}

func dataOpcode(binary bool) byte {
	if binary {
		return opBinary
	}
	return opText
}

func appendHeader(dst []byte, opcode byte, n int) []byte {
	const fin = 0x80
	switch {
	case n <= maxControl:
		return append(dst, fin|opcode, byte(n))
	case n <= 0xffff:
		return binary.BigEndian.AppendUint16(append(dst, fin|opcode, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, fin|opcode, 127), uint64(n))
	}
}

// wholeFrames rounds n up to the end of a frame of p.
func wholeFrames(p []byte, n int) int {
	end := n
	if n < len(p) {
		for end = 0; end < n; {
			end += FrameLen(p[end:])
		}
	}
	return end
}

// FrameLen returns the length of the unmasked frame that p begins with, its
// header included.
func FrameLen(p []byte) int {
	switch n := int(p[1]); n {
	case 126:
		return 4 + int(binary.BigEndian.Uint16(p[2:]))
	case 127:
		return 10 + int(binary.BigEndian.Uint64(p[2:]))
	default:
		return 2 + n
	}
}
