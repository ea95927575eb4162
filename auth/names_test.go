package auth

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// Each bound of a name, from both sides, and each kind of character.
func TestCheckName(t *testing.T) {
	for _, good := range []string{
		"x", "Ann", "Ann B", "é", "名", "٣", "1", "-", "😀",
		strings.Repeat("x", 32), strings.Repeat("名", 32), "می\u200cخواهم", "क\u094d\u200dष", "e\u0301", "a\u2800b",
	} {
		if err := CheckName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, why := range map[string]string{
		"":                      "is empty",
		strings.Repeat("x", 33): "has 33 characters: at most 32 are allowed",
		strings.Repeat("名", 33): "has 33 characters: at most 32 are allowed",
		"a\xff":                 "not valid UTF-8",
		" a":                    "begins or ends with a space",
		"a ":                    "begins or ends with a space",
		"\u3000a":               "begins or ends with a space",
		"a\nb":                  "U+000A is not a printable character",
		"a\x00b":                "U+0000 is not a printable character",
		"a\u202eb":              "U+202E is not a printable character",
		"a\u200bb":              "U+200B is not a printable character",
		"a\u00a0b":              "U+00A0 is not a printable character",
		"\u200c":                "cannot be seen",
		"\u200d":                "cannot be seen",
		"\u0301":                "cannot be seen",
		"\u0301\u0302":          "cannot be seen",
		"\u115f":                "cannot be seen",
		"\u3164":                "cannot be seen",
		"\u2800":                "cannot be seen",
		"\u2800 \u2800":         "cannot be seen",
	} {
		if err := CheckName(bad); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", bad, err, why)
		}
	}
}

func TestCheckPattern(t *testing.T) {
	for _, good := range []string{
		"*", "a", "a*", "Den", "a-b", "a_b", "a.b", "den2", "٣", "é", "e\u0301", "名",
		strings.Repeat("x", 64), strings.Repeat("x", 64) + "*", strings.Repeat("名", 64),
	} {
		if err := checkPattern(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, why := range map[string]string{
		"":                            "is empty",
		strings.Repeat("x", 65):       "has 65 characters: at most 64 are allowed",
		strings.Repeat("x", 65) + "*": "has 65 characters: at most 64 are allowed",
		strings.Repeat("名", 65):       "has 65 characters: at most 64 are allowed",
		"a\xff":                       "not valid UTF-8",
		"**":                          "only at the end",
		"*a":                          "only at the end",
		"a b":                         "' ' cannot be part",
		"a/b":                         "'/' cannot be part",
		"a,b":                         "',' cannot be part",
		"a^b":                         "'^' cannot be part",
		"a`b":                         "'`' cannot be part",
		"a\u200db":                    "cannot be part",
		"😀":                           "cannot be part",
	} {
		if err := checkPattern(bad); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, want %q", bad, err, why)
		}
	}
}

// RFC 6750, section 2.1: every byte.
func TestTokenBytes(t *testing.T) {
	const all = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
	for c := range 256 {
		s := string([]byte{byte(c)})
		if got, want := isB64token("a"+s+"b"), strings.Contains(all, s); got != want {
			t.Errorf("%q within a token: %v", s, got)
		}
		if got, want := isB64token("a"+s), strings.Contains(all+"=", s); got != want {
			t.Errorf("%q at its end: %v", s, got)
		}
	}
	for _, bad := range []string{"", "=", "=="} {
		if isB64token(bad) {
			t.Errorf("%q is a token", bad)
		}
	}
}

// No access beyond those that there are is ever granted, nor may anyone be given it.
func TestAccessRange(t *testing.T) {
	for a := range Write + 3 {
		id := &Identity{Access: a}
		if got, want := id.May(Read, "den"), a == Read || a == Write; got != want {
			t.Errorf("%v may read: %v", a, got)
		}
		if got, want := id.May(Write, "den"), a == Write; got != want {
			t.Errorf("%v may write: %v", a, got)
		}
		path := filepath.Join(t.TempDir(), "tokens")
		_, err := Create(path, "Ann", a, nil)
		if want := a == None || a == Read || a == Write; (err == nil) != want {
			t.Errorf("Create with access %v: %v", a, err)
		}
		if _, err := New(Config{Anonymous: a}); (err == nil) != (a <= Write) {
			t.Errorf("Anonymous %v: %v", a, err)
		}
	}
	if got := fmt.Sprint(Unset, None, Read, Write, Write+1); got != " none read write Access(4)" {
		t.Errorf("they print as %q", got)
	}
}
