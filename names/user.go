package names

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/norm"
)

// User returns the one form of s as the name of a member, or what is wrong with it. A name has 1 to MaxUser characters, at least one of which can
// be seen, in the form of the profile Nickname of PRECIS (RFC 8266): no white space around it and one at a time within, what
// is compatible with another character replaced by it (NFKC), upper and lower case as they are. Nothing passes that controls,
// breaks lines, changes the direction of text or cannot be seen; the joiners U+200C and U+200D pass where their scripts, and
// emoji, are written with them.
func User(s string) (string, error) {
	if s = strings.TrimSpace(s); plainUser(s) {
		return s, nil
	}
	if !utf8.ValidString(s) {
		return "", errors.New("the username is not valid UTF-8")
	}
	if tooLong(s, 4*MaxUser) { // before any work; no form is as much shorter
		return "", fmt.Errorf("the username is longer than %d characters", MaxUser)
	}
	form := strings.Join(strings.FieldsFunc(norm.NFKC.String(s), isSpace), " ") // some characters become a space and a mark
	switch {
	case form == "":
		return "", fmt.Errorf("the username is empty; give it 1-%d characters", MaxUser)
	case tooLong(form, MaxUser):
		return "", fmt.Errorf("the username is longer than %d characters", MaxUser)
	}
	text, seen := withoutEmoji(form)
	for _, r := range text {
		if r == emptyBraille { // a symbol to Unicode, and blank
			return "", fmt.Errorf("the username may not hold %s, which cannot be seen", quoteRune(r))
		}
		seen = seen || !unicode.In(r, unicode.Z, unicode.M)
	}
	if text != "" {
		if _, err := precis.Nickname.String(text); err != nil {
			return "", fmt.Errorf("the username %s; use characters that can be printed", problem(precis.Nickname, text))
		}
	}
	if r, ok := marked(form); ok {
		return "", fmt.Errorf("the username has more than %d marks in a row, the last of them %s", maxMarks, quoteRune(r))
	}
	if !seen {
		return "", errors.New("nothing of the username can be seen; add a letter or a digit")
	}
	return form, nil
}

const emptyBraille = '\u2800'

func isSpace(r rune) bool { return r == ' ' || unicode.Is(unicode.Zs, r) }

// plainUser reports whether s has nothing but what needs no other form: printable ASCII, one space at a time and none around it.
func plainUser(s string) bool {
	if s == "" || len(s) > MaxUser || s[0] == ' ' || s[len(s)-1] == ' ' {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == ' ' && s[i-1] == ' ' {
			return false
		}
	}
	return true
}

// withoutEmoji returns s with a letter that is anybody's in the place of each emoji, and whether there was one.
func withoutEmoji(s string) (text string, had bool) {
	if !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) {
		return s, false
	}
	var b strings.Builder
	for runes := []rune(s); len(runes) > 0; {
		n := emoji(runes)
		if had = had || n > 0; n == 0 {
			b.WriteRune(runes[0])
			n = 1
		} else {
			b.WriteByte('x')
		}
		runes = runes[n:]
	}
	return b.String(), had
}
