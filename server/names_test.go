package server

import (
	"testing"

	"edgechat/auth"
	"edgechat/codec"
)

// Packages auth and codec do not know each other, and a token's name becomes a
// username: no name that auth takes may be one that codec refuses or changes.
func TestTokenNames(t *testing.T) {
	check := func(name string) {
		if auth.CheckName(name) != nil {
			return
		}
		if clean, err := codec.CleanUsername(name); err != nil || clean != name {
			t.Errorf("auth takes %q, codec makes %q of it: %v", name, clean, err)
		}
	}
	for r := range rune(0x20000) { // beyond are ideographs, and these:
		check(string(r))
		check("a" + string(r) + "b")
	}
	for r := rune(0xe0000); r < 0xe0200; r++ { // tags and variation selectors
		check(string(r))
		check("a" + string(r))
	}
}
