package hostile

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// A FrameCase is bytes behind a handshake that no client should send, and the close code and the beginning of the reason
// that it must get.
type FrameCase struct {
	Name, Bytes string
	Code        int // Taken if the frame is taken for an empty message
	Reason      string
}

// Taken stands for a frame that is taken for an empty message.
const Taken = -1

// Frames are what breaks RFC 6455 in frames, for a server that takes messages of limit bytes.
func Frames(limit int) []FrameCase {
	m := func(first byte, payload string) string { return string(Frame(nil, first, payload)) }
	return []FrameCase{
		// Section 5.2, lengths. The first fourteen bytes end a process that runs gws v1.9.1's ReadLoop on
		// a goroutine of its own. With 32 bits it keeps the low half of a length alone.
		{"negative length", unhex("82ff 8000000000000000 01020304"), bits(1002, Taken), "impossible length"},
		{"length of 2^64-1", unhex("82ff ffffffffffffffff 01020304"), 1002, ""},
		{"length of 2^63-1", unhex("82ff 7fffffffffffffff 01020304"), bits(1009, 1002), ""},
		{"length that is negative in 32 bits", unhex("82ff 0000000080000000 01020304"), bits(1009, 1002), ""},
		{"length of 2^32", unhex("82ff 0000000100000000 01020304"), bits(1009, Taken), ""},
		{"over the limit", m(0x81, strings.Repeat("x", limit+1)), 1009, "longer than " + strconv.Itoa(limit) + " bytes"},
		{"far over the limit", unhex("82ff 0000000040000000 01020304"), 1009, ""},
		{"fragments over the limit", m(0x01, strings.Repeat("x", limit)) + m(0x80, "x"), 1009, ""},
		// Section 5.1, masks.
		{"unmasked", "\x81\x02hi", 1002, "not a valid WebSocket frame"},
		{"unmasked ping", "\x89\x00", 1002, ""},
		{"unmasked close", "\x88\x02\x03\xe8", 1002, ""},
		{"unmasked behind a masked one", m(0x8a, "") + "\x81\x02hi", 1002, ""},
		// Section 5.2, reserved bits: no extension was agreed on.
		{"reserved bit 1, as of permessage-deflate", m(0xc1, "hi"), 1002, ""},
		{"reserved bit 2", m(0xa1, "hi"), 1002, ""},
		{"reserved bit 3", m(0x91, "hi"), 1002, ""},
		{"all reserved bits", m(0xf1, "hi"), 1002, ""},
		{"reserved bit of a ping", m(0xc9, ""), 1002, ""},
		{"reserved bit of a close", m(0xc8, "\x03\xe8"), 1002, ""},
		{"reserved bit of a later fragment", m(0x01, "a") + m(0xc0, "b"), 1002, ""},
		// Section 5.2, opcodes.
		{"opcode 3", m(0x83, "hi"), 1002, ""},
		{"opcode 4", m(0x84, "hi"), 1002, ""},
		{"opcode 5", m(0x85, "hi"), 1002, ""},
		{"opcode 6", m(0x86, "hi"), 1002, ""},
		{"opcode 7", m(0x87, ""), 1002, ""},
		{"opcode 11", m(0x8b, ""), 1002, ""},
		{"opcode 12", m(0x8c, "hi"), 1002, ""},
		{"opcode 13", m(0x8d, ""), 1002, ""},
		{"opcode 14", m(0x8e, ""), 1002, ""},
		{"opcode 15", m(0x8f, ""), 1002, ""},
		{"a reserved opcode between fragments", m(0x01, "a") + m(0x83, "") + m(0x80, "b"), 1002, ""},
		// Section 5.4, fragments.
		{"continuation of nothing", m(0x80, "hi"), 1002, ""},
		{"continuation of nothing, to go on", m(0x00, "hi"), 1002, ""},
		{"continuation of what has ended", m(0x01, "a") + m(0x80, "b") + m(0x80, "c"), 1002, ""},
		{"text within a fragmented text", m(0x01, "a") + m(0x81, "b"), 1002, ""},
		{"text within a fragmented binary", m(0x02, "a") + m(0x81, "b"), 1002, ""},
		{"two beginnings", m(0x01, "a") + m(0x01, "b"), 1002, ""},
		{"endless empty fragments", m(0x01, "") + strings.Repeat(m(0x00, ""), fragmentsOver(limit)), 1008, ""},
		// Section 5.5, control frames.
		{"fragmented ping", m(0x09, "hi"), 1002, ""},
		{"fragmented pong", m(0x0a, ""), 1002, ""},
		{"fragmented close", m(0x08, "\x03\xe8"), 1002, ""},
		{"ping of 126 bytes", m(0x89, strings.Repeat("x", 126)), 1002, ""},
		{"pong of 126 bytes", m(0x8a, strings.Repeat("x", 126)), 1002, ""},
		{"close of 126 bytes", m(0x88, "\x03\xe8"+strings.Repeat("x", 124)), 1002, ""},
		{"ping of 2^16 bytes", m(0x89, strings.Repeat("x", 1<<16)), 1009, ""},
		// Section 8.1, text is UTF-8.
		{"text that is no UTF-8", m(0x81, "a\xff"), 1007, "not valid UTF-8"},
		{"text that ends within a character", m(0x81, "a\xe2\x82"), 1007, ""},
		{"text with half a surrogate pair", m(0x81, "\xed\xa0\x80"), 1007, ""},
		{"text that is longer than it need be", m(0x81, "\xc0\xaf"), 1007, ""},
		{"text beyond the last character", m(0x81, "\xf4\x90\x80\x80"), 1007, ""},
		{"fragments that are no UTF-8 together", m(0x01, "a\xe2\x82") + m(0x80, "b"), 1007, ""},
		// Sections 5.5.1 and 7.4, close frames.
		{"close with one byte", m(0x88, "\x03"), 1002, ""},
		{"close with 0", m(0x88, "\x00\x00"), 1002, ""},
		{"close with 1", m(0x88, "\x00\x01"), 1002, ""},
		{"close with 999", m(0x88, "\x03\xe7"), 1002, ""},
		{"close with 1004", m(0x88, "\x03\xec"), 1002, ""},
		{"close with 1005", m(0x88, "\x03\xed"), 1002, ""},
		{"close with 1006", m(0x88, "\x03\xee"), 1002, ""},
		{"close with 1015", m(0x88, "\x03\xf7"), 1002, ""},
		{"close with 1016", m(0x88, "\x03\xf8"), 1002, ""},
		{"close with 2999", m(0x88, "\x0b\xb7"), 1002, ""},
		{"close with 5000", m(0x88, "\x13\x88"), 1002, ""},
		{"close with 65535", m(0x88, "\xff\xff"), 1002, ""},
		{"close with bad UTF-8", m(0x88, "\x03\xe8\xff"), 1007, ""},
		{"close with half a character", m(0x88, "\x03\xe8\xe2\x82"), 1007, ""},
		{"close with 1000", m(0x88, "\x03\xe8bye"), 1000, ""},
		{"close with 1001", m(0x88, "\x03\xe9"), 1001, ""},
		{"close with 1003", m(0x88, "\x03\xeb"), 1003, ""},
		{"close with 1011", m(0x88, "\x03\xf3"), 1011, ""},
		{"close with 3000", m(0x88, "\x0b\xb8"), 3000, ""},
		{"close with 4000", m(0x88, "\x0f\xa0"), 4000, ""},
		{"close with 4999", m(0x88, "\x13\x87"), 4999, ""},
		{"close with a long reason", m(0x88, "\x03\xe8"+strings.Repeat("x", 123)), 1000, ""},
		{"close without a code", m(0x88, ""), 1005, ""},
		{"close within fragments", m(0x01, "a") + m(0x88, "\x03\xe8"), 1000, ""},
		{"two closes", m(0x88, "\x0f\xa0") + m(0x88, "\x0f\xa1"), 4000, ""},
		{"a message behind a close", m(0x88, "\x0f\xa0") + m(0x81, "hi"), 4000, ""},
		{"nonsense behind a close", m(0x88, "\x0f\xa0") + "\xff\xff\xff\xff", 4000, ""},
		// Another protocol.
		{"a request of HTTP", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 1002, ""},
		{"zeros", strings.Repeat("\x00", 100), 1002, ""},
		{"ones", strings.Repeat("\xff", 100), 1002, ""},
	}
}

// fragmentsOver is how many empty fragments are more than a message may have.
func fragmentsOver(limit int) int { return (2*limit+16<<10)/6 + 100 }

func unhex(s string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return string(b)
}

// bits returns what goes with the size of an int.
func bits(in64, in32 int) int {
	if strconv.IntSize == 64 {
		return in64
	}
	return in32
}
