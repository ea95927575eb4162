package codec

import (
	"time"
	"unicode/utf8"
)

// The times that RFC 3339 can write, which has four digits for the year.
const (
	minTime = -62167219200000 // 0000-01-01T00:00:00.000Z
	maxTime = 253402300799999 // 9999-12-31T23:59:59.999Z
)

// appendJSONString appends s in quotes as encoding/json does with its escaping
// for HTML turned off, byte for byte: bytes that are no UTF-8 become U+FFFD, and
// U+2028 and U+2029 are escaped for the sake of JavaScript before 2019.
func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0 // of what is copied as it is
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			dst = append(dst, s[start:i]...)
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\b':
				dst = append(dst, '\\', 'b')
			case '\f':
				dst = append(dst, '\\', 'f')
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, `\ufffd`...)
			start = i + size
		case r == '\u2028' || r == '\u2029':
			dst = append(dst, s[start:i]...)
			dst = append(dst, '\\', 'u', '2', '0', '2', hex[r&15])
			start = i + size
		}
		i += size
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// appendJSONTime appends milliseconds since 1970 in quotes, as RFC 3339 in UTC
// with three decimals always. What lies outside the years 0-9999 is written as
// the nearest time within.
func appendJSONTime(dst []byte, ms int64) []byte {
	t := time.UnixMilli(min(max(ms, minTime), maxTime)).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = append(dst, '"')
	dst = appendDigits(dst, year, 4)
	dst = appendDigits(append(dst, '-'), int(month), 2)
	dst = appendDigits(append(dst, '-'), day, 2)
	dst = appendDigits(append(dst, 'T'), hour, 2)
	dst = appendDigits(append(dst, ':'), minute, 2)
	dst = appendDigits(append(dst, ':'), second, 2)
	dst = appendDigits(append(dst, '.'), t.Nanosecond()/1e6, 3)
	return append(dst, 'Z', '"')
}

// appendDigits appends the last width digits of n, which is not negative.
func appendDigits(dst []byte, n, width int) []byte {
	var digits [4]byte
	for i := width - 1; i >= 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return append(dst, digits[:width]...)
}

// appendJSONID appends id in quotes. Its epoch is made of letters and digits,
// which need no escapes.
func appendJSONID(dst []byte, id ID) []byte {
	return append(id.Append(append(dst, '"')), '"')
}
