package codec

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"edgechat/refusal"
)

const (
	maxRoom     = 64 // characters (runes) of the name of a room
	maxUsername = 32 // characters (runes) of the name of a member
	maxKey      = 64 // characters (runes) of an idempotency key
)

// CheckRoom reports what is wrong with s as the name of a room: it has 1-64
// characters, which are letters, decimal digits and marks of any script, "-",
// "_" and ".", and is neither "." nor "..", which paths take away. Names are
// compared byte by byte; no normal form is applied. The error is a *refusal.Error of
// refusal.InvalidRoom.
func CheckRoom(s string) error {
	if problem := checkRoom(s); problem != nil {
		return problem
	}
	return nil
}

func checkRoom(s string) *refusal.Error {
	switch {
	case s == "":
		return refusal.Errorf(refusal.InvalidRoom, "the name of the room is empty; give it 1-%d characters", maxRoom)
	case !utf8.ValidString(s):
		return refusal.Errorf(refusal.InvalidRoom, "the name of the room is not valid UTF-8")
	case tooLong(s, maxRoom):
		return refusal.Errorf(refusal.InvalidRoom, "the name of the room is longer than %d characters", maxRoom)
	case s == "." || s == "..":
		return refusal.Errorf(refusal.InvalidRoom, "a room cannot be named %q, which is a step in a path", s)
	}
	for _, r := range s {
		if r != '-' && r != '_' && r != '.' && !unicode.In(r, unicode.L, unicode.Nd, unicode.M) {
			return refusal.Errorf(refusal.InvalidRoom,
				"the name of the room may not hold %s; use letters, digits, marks, - _ and .", quoteRune(r))
		}
	}
	return nil
}

// CleanUsername returns s without the spaces around it, or what is wrong with
// it as the name of a member: it has 1-32 characters, at least one of which can
// be seen, and none that controls, breaks lines or changes the direction of
// the text around it. The error is a *refusal.Error of refusal.InvalidUsername.
//
// Of the invisible format characters only U+200C and U+200D pass: Persian,
// Indic scripts and many emoji are written with them. Characters that this
// version of Unicode does not know yet pass too, or new emoji would be refused.
func CleanUsername(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", refusal.Errorf(refusal.InvalidUsername, "the username is not valid UTF-8")
	}
	s = strings.TrimSpace(s)
	if s == "" {
		return "", refusal.Errorf(refusal.InvalidUsername, "the username is empty; give it 1-%d characters", maxUsername)
	}
	if tooLong(s, maxUsername) {
		return "", refusal.Errorf(refusal.InvalidUsername, "the username is longer than %d characters", maxUsername)
	}
	seen := false
	for _, r := range s {
		if !printable(r) {
			return "", refusal.Errorf(refusal.InvalidUsername,
				"the username may not hold %s; use characters that can be printed", quoteRune(r))
		}
		seen = seen || visible(r)
	}
	if !seen {
		return "", refusal.Errorf(refusal.InvalidUsername, "nothing of the username can be seen; add a letter or a digit")
	}
	return s, nil
}

// CheckKey reports what is wrong with s as an idempotency key: it has 1-64
// characters of valid UTF-8 and no control characters. The error is a *refusal.Error of
// refusal.InvalidMessage.
func CheckKey(s string) error {
	if problem := checkKey("idempotency_key", s); problem != nil {
		return problem
	}
	return nil
}

// CheckAuthorKey is CheckKey for an author key.
func CheckAuthorKey(s string) error {
	if problem := checkKey("author_key", s); problem != nil {
		return problem
	}
	return nil
}

func keyTooLong(name string) *refusal.Error {
	return invalid("%s is longer than %d characters", name, maxKey)
}

// checkKey reports what is wrong with the field of that name.
func checkKey(name, s string) *refusal.Error {
	switch {
	case s == "":
		return invalid("%s is empty; leave it out or give it 1-%d characters", name, maxKey)
	case !utf8.ValidString(s):
		return invalid("%s is not valid UTF-8", name)
	case tooLong(s, maxKey):
		return keyTooLong(name)
	}
	for _, r := range s {
		if unicode.IsControl(r) {
			return invalid("%s may not hold the control character %s", name, quoteRune(r))
		}
	}
	return nil
}

// tooLong reports whether s has more than most runes. It does not count those
// of a very long s.
func tooLong(s string, most int) bool {
	return len(s) > most*utf8.UTFMax || len(s) > most && utf8.RuneCountInString(s) > most
}

// printable reports whether r may be part of a username.
func printable(r rune) bool {
	switch {
	case r == '\u200c' || r == '\u200d':
		return true
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp):
		return false // controls, bidirectional overrides and isolates, private use, line separators
	}
	return !unicode.Is(unicode.Noncharacter_Code_Point, r)
}

// visible reports whether r leaves a trace on the screen by itself: not spaces,
// joiners and marks, nor the fillers and the empty Braille cell, which are letters
// and symbols to Unicode but blank.
func visible(r rune) bool {
	return r != '\u2800' &&
		!unicode.In(r, unicode.Z, unicode.Cf, unicode.M, unicode.Other_Default_Ignorable_Code_Point)
}

// quoteRune names a character in an error message by its number as well, since
// those that are refused tend to be invisible.
func quoteRune(r rune) string {
	const hex = "0123456789ABCDEF"
	name := []byte("U+")
	for shift := 20; shift >= 0; shift -= 4 {
		if shift < 16 || r>>shift != 0 {
			name = append(name, hex[r>>shift&15])
		}
	}
	if unicode.IsPrint(r) && !unicode.Is(unicode.M, r) {
		return strconv.QuoteRune(r) + " (" + string(name) + ")"
	}
	return string(name)
}
