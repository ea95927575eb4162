package names

import (
	"errors"
	"fmt"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/secure/bidirule"
	"golang.org/x/text/secure/precis"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
)

// roomLetters is what the name of a room may be made of.
const roomLetters = "letters, digits, marks, - _ and ."

// Room returns the one form of s as the name of a room, or what is wrong with it. A name has 1 to
// MaxRoom characters, which are letters, decimal digits and marks of any script, "-", "_" and ".", as the profile UsernameCasePreserved
// of PRECIS has them (RFC 8265 section 3.4): full width becomes ordinary, letters and their marks are composed (NFC), and
// upper and lower case stay what they are. It is neither "." nor "..", which paths take away.
//
// A name of ASCII is its own form, and is checked without an allocation.
func Room(s string) (string, error) {
	switch {
	case s == "":
		return "", fmt.Errorf("the name of the room is empty; give it 1-%d characters", MaxRoom)
	case tooLong(s, MaxRoom):
		return "", fmt.Errorf("the name of the room is longer than %d characters", MaxRoom)
	case s == "." || s == "..":
		return "", fmt.Errorf("a room cannot be named %q, which is a step in a path", s)
	case plainRoom(s):
		return s, nil
	case !utf8.ValidString(s):
		return "", errors.New("the name of the room is not valid UTF-8")
	}
	form, err := roomProfile().String(s)
	if err == nil && bidirule.DirectionString(form) == bidi.RightToLeft && !bidirule.ValidString(form) {
		err = bidirule.ErrInvalid
	}
	if err != nil {
		return "", fmt.Errorf("the name of the room %s; use %s", problem(roomProfile(), s), roomLetters)
	}
	for _, r := range form {
		if r != '-' && r != '_' && r != '.' && r != zeroWidthJoiner && r != zeroWidthNonJoiner && !unicode.In(r, unicode.L, unicode.Nd, unicode.M) {
			return "", fmt.Errorf("the name of the room may not hold %s; use %s", quoteRune(r), roomLetters)
		}
	}
	if form == "." || form == ".." {
		return "", fmt.Errorf("a room cannot be named %q, which is a step in a path", form)
	}
	if r, ok := marked(form); ok {
		return "", fmt.Errorf("the name of the room has more than %d marks in a row, the last of them %s", maxMarks, quoteRune(r))
	}
	return form, nil
}

// roomProfile is UsernameCasePreserved but for the rule of RFC 5893, which package precis has for names that are written from the left,
// too: it refuses such as end with "_".
var roomProfile = sync.OnceValue(func() *precis.Profile {
	return precis.NewIdentifier(precis.FoldWidth, precis.Norm(norm.NFC))
})

// plainRoom reports whether s has nothing but what needs no other form.
func plainRoom(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
