package codec

import (
	"bytes"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"edgechat/refusal"
)

// text is a string in the input, without its quotes or header.
type text struct {
	raw     []byte
	size    int  // bytes of UTF-8 without escapes
	escaped bool // with a backslash in it
	lone    bool // with an escaped surrogate that has no other half
	invalid bool // not UTF-8
}

// is reports whether t says s.
func (t *text) is(s string) bool {
	return t.size == len(s) && (string(t.raw) == s || t.escaped && t.String() == s)
}

// String returns a copy of the text, in one allocation.
func (t *text) String() string {
	if !t.escaped {
		return string(t.raw)
	}
	var b strings.Builder
	b.Grow(t.size)
	t.appendTo(&b)
	return b.String()
}

func (t *text) appendTo(b *strings.Builder) {
	if t.escaped {
		unescape(b, t.raw)
	} else {
		b.Write(t.raw)
	}
}

// text reads a string from its opening quote to its closing one.
func (r *jsonReader) text() (text, *refusal.Error) {
	r.pos++
	t := text{}
	start := r.pos
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; {
		case c == '"':
			t.raw = r.data[start:r.pos]
			r.pos++
			return t, nil
		case c == '\\':
			t.escaped = true
			char, whole, problem := r.escape()
			if problem != nil {
				return text{}, problem
			}
			t.size += utf8.RuneLen(char)
			t.lone = t.lone || !whole
		case c < ' ':
			return text{}, invalid("unexpected %s in a string of JSON at byte %d; escape it as \\u%04x",
				r.next(), r.pos, c)
		default:
			t.size++
			r.pos++
		}
	}
	return text{}, r.unexpected(`the closing quote of a string`)
}

// escape reads an escaped character; whole is false for a lone surrogate, which
// is read as U+FFFD.
func (r *jsonReader) escape() (char rune, whole bool, problem *refusal.Error) {
	r.pos++
	c := r.peek()
	if c != 'u' {
		if char = unescapeByte(c); char == 0 {
			return 0, false, r.unexpected(`one of "\/bfnrtu after a backslash`)
		}
		r.pos++
		return char, true, nil
	}
	r.pos++
	for range 4 {
		digit := hexDigit(r.peek())
		if digit < 0 {
			return 0, false, r.unexpected("a hexadecimal digit")
		}
		char = char<<4 | digit
		r.pos++
	}
	if !utf16.IsSurrogate(char) {
		return char, true, nil
	}
	if pair := utf16.DecodeRune(char, hexRune(r.data[r.pos:])); pair != utf8.RuneError {
		r.pos += len(`\u0000`)
		return pair, true, nil
	}
	return utf8.RuneError, false, nil
}

// unescape writes what raw says, which text has read before.
func unescape(b *strings.Builder, raw []byte) {
	r := jsonReader{data: raw}
	for {
		n := bytes.IndexByte(raw[r.pos:], '\\')
		if n < 0 {
			b.Write(raw[r.pos:])
			return
		}
		b.Write(raw[r.pos : r.pos+n])
		r.pos += n
		char, _, _ := r.escape()
		b.WriteRune(char)
	}
}

// unescapeByte returns what \c stands for, 0 if nothing.
func unescapeByte(c byte) rune {
	switch c {
	case '"', '\\', '/':
		return rune(c)
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

// hexRune returns the number that data starts with as \u0000, -1 if it does not.
func hexRune(data []byte) rune {
	if len(data) < len(`\u0000`) || data[0] != '\\' || data[1] != 'u' {
		return -1
	}
	var char rune
	for _, c := range data[2:6] {
		digit := hexDigit(c)
		if digit < 0 {
			return -1
		}
		char = char<<4 | digit
	}
	return char
}

func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}
