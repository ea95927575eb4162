package codec

import (
	"strconv"
	"unicode"
	"unicode/utf8"

	"edgechat/names"
	"edgechat/refusal"
)

const maxKey = 64 // characters (runes) of an idempotency key

// CleanRoom returns the one form of s as the name of a room, as names.Room has it. The error is a
// *refusal.Error of refusal.InvalidRoom.
func CleanRoom(s string) (string, error) {
	form, err := names.Room(s)
	if err != nil {
		return "", refusal.New(refusal.InvalidRoom, err.Error())
	}
	return form, nil
}

// roomForm is CleanRoom for a name that may be wrong, which stays as it is.
func roomForm(s string) string {
	if s == "" {
		return s
	}
	if form, err := names.Room(s); err == nil {
		return form
	}
	return s
}

// CleanUsername returns the one form of s, without the white space around it, as the name of a member, as names.User has it. The
// error is a *refusal.Error of refusal.InvalidUsername.
func CleanUsername(s string) (string, error) {
	form, err := names.User(s)
	if err != nil {
		return "", refusal.New(refusal.InvalidUsername, err.Error())
	}
	return form, nil
}

// PastUsername reports whether s was let in as the name of a member before names had one form: see names.Past.
func PastUsername(s string) bool { return names.Past(s) }

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
