package auth

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Longest names, in characters: those of the protocol, so that no token is
// made that could not be used.
const (
	maxName = 32
	maxRoom = 64
)

// An Identity is who a connection belongs to. The zero value may do nothing.
type Identity struct {
	Name      string   // shown to others; "" if Anonymous
	Access    Access   // in the rooms that Rooms names
	Rooms     []string // exact names, or prefixes with a trailing "*"; empty: all rooms
	Anonymous bool     // came without a token
}

// May reports whether id has access a (Read or Write) to room. Names are
// compared byte by byte, as rooms are told apart. A nil id may do nothing.
func (id *Identity) May(a Access, room string) bool {
	if id == nil || a < Read || a > Write || id.Access < a || id.Access > Write {
		return false
	}
	if len(id.Rooms) == 0 {
		return true
	}
	for _, p := range id.Rooms {
		if prefix, ok := strings.CutSuffix(p, "*"); ok {
			if strings.HasPrefix(room, prefix) {
				return true
			}
		} else if p == room {
			return true
		}
	}
	return false
}

// CheckName says what is wrong with s as the name of a token: it becomes the
// username of whoever bears it, so it has 1-32 printable characters without
// space around them, at least one of which can be seen.
func CheckName(s string) error {
	n := utf8.RuneCountInString(s)
	switch {
	case s == "":
		return errors.New("name is empty")
	case !utf8.ValidString(s):
		return fmt.Errorf("name %q is not valid UTF-8", s)
	case n > maxName:
		return fmt.Errorf("name %q has %d characters: at most %d are allowed", s, n, maxName)
	case strings.TrimSpace(s) != s:
		return fmt.Errorf("name %q begins or ends with a space", s)
	}
	seen := false
	for _, r := range s {
		// Of the characters that format, among them those that turn the direction
		// of text around, only the joiners pass: some scripts are written with them.
		joiner := r == '\u200c' || r == '\u200d'
		if !joiner && !unicode.IsPrint(r) {
			return fmt.Errorf("name %q: %U is not a printable character", s, r)
		}
		// U+2800 and the "ignorable" letters are blank, marks need something to stand on.
		blank := joiner || r == ' ' || r == '\u2800' || unicode.In(r, unicode.M, unicode.Other_Default_Ignorable_Code_Point)
		seen = seen || !blank
	}
	if !seen {
		return fmt.Errorf("name %q cannot be seen: add a letter or a digit", s)
	}
	return nil
}

// checkPattern allows the name of a room (letters, digits, marks, "-", "_",
// "."), with at most one "*", at the end.
func checkPattern(p string) error {
	name, wild := strings.CutSuffix(p, "*")
	n := utf8.RuneCountInString(name)
	switch {
	case name == "" && !wild:
		return errors.New("room pattern is empty: name a room, or \"*\" for all")
	case !utf8.ValidString(name):
		return fmt.Errorf("room pattern %q is not valid UTF-8", p)
	case n > maxRoom:
		return fmt.Errorf("room pattern %q has %d characters: at most %d are allowed", p, n, maxRoom)
	}
	for _, r := range name {
		switch {
		case r == '*':
			return fmt.Errorf("room pattern %q: \"*\" may stand only at the end", p)
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r), r == '-', r == '_', r == '.':
		default:
			return fmt.Errorf("room pattern %q: %q cannot be part of a room's name (letters, digits, - _ .)", p, r)
		}
	}
	return nil
}
