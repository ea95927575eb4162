package frame

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// ClosePayload returns what a close frame carries (RFC 6455 section 5.5.1): nothing if
// code is 0. A reason that is too long is cut, at the end of a character.
func ClosePayload(code uint16, reason string) []byte {
	if code == 0 {
		return nil
	}
	for len(reason) > MaxControl-2 || !utf8.ValidString(reason) {
		reason = strings.ToValidUTF8(reason[:min(len(reason), MaxControl-2)], "")
	}
	return append(binary.BigEndian.AppendUint16(nil, code), reason...)
}

// CloseCode returns the code and the reason of a close frame, 0 if it has none.
func CloseCode(payload []byte) (code uint16, reason string) {
	if len(payload) < 2 {
		return 0, ""
	}
	return binary.BigEndian.Uint16(payload), string(payload[2:])
}
