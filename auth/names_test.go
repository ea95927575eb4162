package auth

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// A name is a username as it stands: codec says which those are.
func TestCheckName(t *testing.T) {
	for _, good := range []string{"x", "Ann B", "名", strings.Repeat("名", 32), "Zo\u00eb"} {
		if err := checkName(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, why := range map[string]string{
		"":                      "is empty",
		strings.Repeat("名", 33): "longer than 32 characters",
		"a\xff":                 "not valid UTF-8",
		" a":                    `write "a"`,
		"a ":                    `write "a"`,
		"\u3000a":               `write "a"`,
		"a  b":                  `write "a b"`,
		"Zoe\u0308":             "write \"Zo\u00eb\"",
		"a\nb":                  "U+000A",
		"\u2800 \u2800":         "cannot be seen",
	} {
		if err := checkName(bad); err == nil || !strings.Contains(err.Error(), why) || !strings.HasPrefix(err.Error(), fmt.Sprintf("name %q: ", bad)) {
			t.Errorf("%q: %v, want %q", bad, err, why)
		}
	}
}

// A pattern is a room's name, or the beginning of one and "*".
func TestCheckPattern(t *testing.T) {
	for _, good := range []string{
		"*", ".*", "..*", "...", "a", "a*", "Den", "a-b", "a_b", "a.b", "den2", "\u00e9", "名",
		strings.Repeat("x", 64), strings.Repeat("x", 64) + "*", strings.Repeat("名", 64),
	} {
		if err := checkPattern(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for bad, why := range map[string]string{
		"":                            "is empty",
		".":                           "step in a path",
		"..":                          "step in a path",
		strings.Repeat("x", 65):       "longer than 64 characters",
		strings.Repeat("x", 65) + "*": "longer than 64 characters",
		"a\xff":                       "not valid UTF-8",
		"**":                          "only at the end",
		"*a":                          "only at the end",
		"a b":                         "may not hold",
		"a/b*":                        "may not hold",
		"e\u0301*":                    "write \"\u00e9\"",
		"😀":                           "may not hold",
	} {
		if err := checkPattern(bad); err == nil || !strings.Contains(err.Error(), why) || bad != "" && !strings.HasPrefix(err.Error(), fmt.Sprintf("room pattern %q: ", bad)) {
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
	for a := range Admin + 3 {
		id := &Identity{Access: a}
		for want, from := range map[Access]Access{Read: Read, Write: Write, Moderate: Moderate} {
			if got := id.May(want, "den"); got != (a >= from && a <= Admin) || id.MayAll(want) != got {
				t.Errorf("%v may %v: %v", a, want, got)
			}
		}
		for _, no := range []Access{Unset, None, Metrics, Admin, Admin + 1} {
			if id.May(no, "den") || id.MayAll(no) {
				t.Errorf("%v may %v, which is no question about a room", a, no)
			}
		}
		if got, want := id.MayScrape(), a == Metrics || a == Admin; got != want {
			t.Errorf("%v may read the metrics: %v", a, got)
		}
		path := filepath.Join(t.TempDir(), "tokens")
		_, err := Create(path, Grant{Name: "Ann", Access: a})
		if want := a >= None && a <= Admin; (err == nil) != want {
			t.Errorf("Create with access %v: %v", a, err)
		}
		_, err = Create(path, Grant{Name: "Bob", Access: a, Rooms: []string{"den"}})
		if want := a >= None && a <= Moderate && a != Metrics; (err == nil) != want {
			t.Errorf("Create with access %v in a room: %v", a, err)
		}
		if _, err := New(Config{Anonymous: a}); (err == nil) != (a <= Write && a != Metrics) {
			t.Errorf("Anonymous %v: %v", a, err)
		}
	}
	if got := fmt.Sprint(Unset, None, Metrics, Read, Write, Moderate, Admin, Admin+1); got != " none metrics read write moderate admin Access(7)" {
		t.Errorf("they print as %q", got)
	}
}
