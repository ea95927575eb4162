package names

import (
	"slices"
	"strings"
	"unicode/utf8"

	"go.mau.fi/util/confusable"
	"golang.org/x/text/cases"
)

// Keys are for comparing names: two that have a key in common could pass for each other. They differ in upper and lower case
// alone, or in characters that look alike (the skeletons of UTS 39).
type Keys [2]string

// KeysOf returns the keys of a name that User has returned. They are of no use to be shown or stored, since they
// change with the version of Unicode.
func KeysOf(name string) Keys {
	if keys, ok := plainKeys(name); ok {
		return keys
	}
	name = strings.Map(func(r rune) rune {
		if r == emojiStyle || r == zeroWidthJoiner || r == zeroWidthNonJoiner {
			return -1 // differences that cannot be seen
		}
		return r
	}, name)
	// Folded first: what differs in case alone has one skeleton. And last: a capital I looks like a small l, and
	// folded like neither.
	return Keys{confusable.Skeleton(fold(name)), fold(confusable.Skeleton(name))}
}

func fold(s string) string { return cases.Fold().String(s) }

// plainKeys are the keys of most names, of ASCII, found without tables.
func plainKeys(name string) (Keys, bool) {
	var first, second [2 * MaxUser]byte // nothing becomes longer than twice as long
	a, b := first[:0], second[:0]
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf || name[i] == '%' || i >= MaxUser { // which looks like three others, not of ASCII
			return Keys{}, false
		}
		a = appendAlike(a, lower(name[i]))
		n := len(b)
		b = appendAlike(b, name[i])
		for ; n < len(b); n++ {
			b[n] = lower(b[n])
		}
	}
	return Keys{string(a), string(b)}, true
}

func appendAlike(b []byte, c byte) []byte {
	if other := confusable.GetReplacement(rune(c)); other != "" {
		return append(b, other...)
	}
	return append(b, c)
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// Alike reports whether a and b, which User has returned, are the same or could pass for each other.
func Alike(a, b string) bool {
	if a == b || a == "" || b == "" {
		return a == b
	}
	x, y := KeysOf(a), KeysOf(b)
	return slices.ContainsFunc(x[:], func(key string) bool { return slices.Contains(y[:], key) })
}

// marks are what clients show behind a verified name, or looks like it.
const marks = "\u2705\u2713\u2714\u2611\u221a\u237b\U0001f5f8\U0001f5f9\U00010102\U0001fbb1"

// HasMark reports whether there is a check mark in name, by which it could pass for one that is verified.
func HasMark(name string) bool { return strings.ContainsAny(name, marks) }

// A Set is names that nobody else may have, nor what could pass for them. It is not changed while others read it.
type Set struct{ keys map[string]bool }

// Add takes a name in that User has returned.
func (s *Set) Add(name string) {
	if s.keys == nil {
		s.keys = make(map[string]bool)
	}
	for _, key := range KeysOf(name) {
		s.keys[key] = true
	}
}

// Has reports whether name, which User has returned, is one of the set or could pass for one.
func (s *Set) Has(name string) bool {
	if len(s.keys) == 0 {
		return false
	}
	keys := KeysOf(name)
	return s.keys[keys[0]] || s.keys[keys[1]]
}
