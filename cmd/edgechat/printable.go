package main

import (
	"fmt"
	"hash/fnv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// isUnsafe reports what would do something to a terminal, or to the order of what is read, in place of being shown:
// control characters of both sets, marks of direction, line separators.
func isUnsafe(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// printable is text in one line, with what is unsafe as in a string of Go: \n, \x1b, \u202e.
func printable(text string) string {
	if strings.IndexFunc(text, isUnsafe) < 0 && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && text[i] != "\uFFFD"[0]:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case !isUnsafe(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// printableJSON is an object in JSON that says the same, and can be shown. All that is unsafe and not
// escaped in it is inside of strings.
func printableJSON(raw []byte) string {
	text := string(raw)
	if strings.IndexFunc(text, isUnsafe) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if isUnsafe(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// style of a terminal (ECMA-48: SGR).
const (
	plainStyle = "\x1b[0m"
	faintStyle = "\x1b[2m"
)

// colourOf is the same for a name each time.
func colourOf(name string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name))
	return fmt.Sprintf("\x1b[1;3%dm", 1+h.Sum32()%6)
}
