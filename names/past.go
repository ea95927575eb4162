package names

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Past reports whether s was let in as the name of a member before names had one form: a history that was exported then has
// such names, and it is not for an import to change who said what. It is of 1 to MaxUser characters without white space around it,
// at least one of which can be seen, and none that controls, breaks lines or changes the direction of text.
func Past(s string) bool {
	if s == "" || s != strings.TrimSpace(s) || tooLong(s, MaxUser) || !utf8.ValidString(s) {
		return false
	}
	seen := false
	for _, r := range s {
		switch {
		case r == zeroWidthJoiner || r == zeroWidthNonJoiner:
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point):
			return false
		case r != emptyBraille && !unicode.In(r, unicode.Z, unicode.M, unicode.Other_Default_Ignorable_Code_Point):
			seen = true
		}
	}
	return seen
}
