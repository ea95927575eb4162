// Package names says what may be the name of a room or of a member, in which one form it is compared and
// shown, and which names look so much like another that they could pass for it.
//
// One rule for callers: what Room and User return is what is stored, shown and compared. Two spellings of a name
// that nobody can tell apart come out as one; what cannot be seen does not pass.
//
// The forms are those of PRECIS: UsernameCasePreserved for rooms (RFC 8265) and Nickname for members (RFC 8266). What it has no answer for, sequences of
// emoji, is in emoji.go; what looks alike is by the skeletons of UTS 39.
package names

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

const (
	MaxRoom = 64 // characters (runes) of the name of a room
	MaxUser = 32 // characters (runes) of the name of a member

	maxMarks = 4 // on a letter; the scripts that stack marks need three
)

// tooLong reports whether s has more than most runes. It does not count those
// of a very long s.
func tooLong(s string, most int) bool {
	return len(s) > most*utf8.UTFMax || len(s) > most && utf8.RuneCountInString(s) > most
}

// marked returns the first mark that is one too many on its letter.
func marked(s string) (rune, bool) {
	n := 0
	for _, r := range norm.NFD.String(s) { // those that are part of a letter count
		if !unicode.Is(unicode.M, r) {
			n = 0
		} else if n++; n > maxMarks {
			return r, true
		}
	}
	return 0, false
}

// problem says in words why p refuses s.
func problem(p *precis.Profile, s string) string {
	for _, r := range s {
		switch {
		case r == zeroWidthJoiner || r == zeroWidthNonJoiner: // it depends on what stands around them
		case !alone(p, r):
			return "may not hold " + quoteRune(r)
		}
	}
	if i := strings.IndexAny(s, string([]rune{zeroWidthJoiner, zeroWidthNonJoiner})); i >= 0 {
		r, _ := utf8.DecodeRuneInString(s[i:])
		return "has " + quoteRune(r) + ", which cannot be seen, where no script is written with it"
	}
	return "has a character where it may not stand: it mixes scripts that are written from the left with such from the right, or their digits (RFC 5892, RFC 5893)"
}

// alone reports whether p lets r pass in some place.
func alone(p *precis.Profile, r rune) bool {
	for _, before := range []string{"", "a", "\u05d0", "\u0627"} {
		if _, err := p.String(before + string(r)); err == nil {
			return true
		}
	}
	return false
}

// quoteRune names a character in an error message by its number as well, since
// those that are refused tend to be invisible.
func quoteRune(r rune) string {
	name := fmt.Sprintf("U+%04X", r)
	if unicode.IsPrint(r) && !unicode.Is(unicode.M, r) {
		return strconv.QuoteRune(r) + " (" + name + ")"
	}
	return name
}
