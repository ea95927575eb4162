package names

import (
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// unseen are the characters that show nothing where they stand between letters of Latin, by Unicode; and two that it does not count as such.
var unseen = []*unicode.RangeTable{
	unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point,
	{R16: []unicode.Range16{{Lo: 0x1160, Hi: 0x1160, Stride: 1}, {Lo: emptyBraille, Hi: emptyBraille, Stride: 1}}},
}

// TestDisguises: nobody has another's name, or comes into another room, by what cannot be told apart: characters that cannot be seen, joiners outside
// of their scripts, marks upon marks, other spellings of the same letters, and letters that look alike.
func TestDisguises(t *testing.T) {
	forms := map[string]func(string) (string, error){"room": Room, "user": User}
	for kind, form := range forms {
		for _, r := range []rune{0x200c, 0x200d, 0xfe0f, 0x34f, 0x115f, 0x3164, 0xffa0, 0x2800, 0xe0100} {
			for _, name := range []string{string(r), string(r) + "Ann", "An" + string(r) + "n", "Ann" + string(r), "Ann" + string(r) + string(r)} {
				if got, err := form(name); err == nil || !strings.Contains(err.Error(), "U+") && !strings.Contains(err.Error(), "seen") {
					t.Errorf("%s %+q is %+q, %v", kind, name, got, err)
				}
			}
		}
		n := 0
		for r := rune(0); r <= unicode.MaxRune; r++ {
			if !unicode.In(r, unseen...) {
				continue
			}
			n++
			if got, err := form("An" + string(r) + "n"); err == nil {
				t.Errorf("%s with %U is %+q", kind, r, got)
			}
		}
		if n < 400 {
			t.Errorf("%d characters that cannot be seen", n)
		}
		// Joiners, where the script is written with them, and where it is not.
		for name, in := range map[string]bool{
			"\u0915\u094d\u200d\u0937": true, "\u0915\u094d\u200c\u0937": true, "\u0645\u06cc\u200c\u062e\u0648": true,
			"\u0915\u200d\u0937": false, "a\u200db": false, "\u0430\u200c\u0431": false, "\u0645\u06cc\u200d\u062e\u0648": false, "1\u200d2": false,
		} {
			if got, err := form(name); (err == nil) != in || in && got != name {
				t.Errorf("%s %+q is %+q, %v", kind, name, got, err)
			}
		}
		// Four marks on a letter, of which one may be part of it, and no fifth. Of Cyrillic, which has few letters with marks.
		for letter, most := range map[string]int{"a": 4, "\u00e1": 3, "\u1ea5": 2, "\u0431": 4} {
			for marks := range most + 3 {
				name := letter + strings.Repeat("\u0323", marks)
				if got, err := form(name); (err == nil) != (marks <= most) {
					t.Errorf("%s %+q, with %d marks, is %+q, %v", kind, name, marks, got, err)
				}
			}
		}
		// The same letters: composed, apart, and of another width, are one.
		for _, name := range []string{"Ku\u0308che", "Zoe\u0308", "\u1100\u1161\u11a8", "a\u0323\u0302", "\u304b\u3099", "A\u030angstro\u0308m", "\u03b1\u0301"} {
			want, err := form(norm.NFC.String(name))
			if err != nil {
				t.Fatal(kind, err)
			}
			for _, spelling := range []string{name, norm.NFD.String(name), norm.NFC.String(name)} {
				if got, err := form(spelling); err != nil || got != want {
					t.Errorf("%s %+q is %+q, %v; want %+q", kind, spelling, got, err, want)
				}
			}
		}
		if got, err := form("\uff21\uff4e\uff4e"); err != nil || got != "Ann" {
			t.Errorf("%s of full width is %+q, %v", kind, got, err)
		}
	}
	// Letters that look alike by UTS 39 (a 1 is like an l, and no i): whatever of a reserved name is replaced, one letter or all, the name is taken.
	var taken Set
	taken.Add("admin")
	alike := map[rune]string{
		'a': "\u0430\u0251\u03b1\uff41A", 'd': "\u0501\uff44D\U0001d41d", 'm': "M\uff4d\U0001d426", 'i': "\u0456\u0131\u0269I", 'n': "N\u0578\uff4e",
	}
	all := []string{""}
	for _, r := range "admin" {
		var longer []string
		for _, other := range string(r) + alike[r] {
			for _, before := range all {
				longer = append(longer, before+string(other))
			}
		}
		all = longer
	}
	for _, spelling := range all {
		name, err := User(spelling)
		if err != nil {
			continue // nobody has it
		}
		if !taken.Has(name) {
			t.Errorf("%+q passes for nobody", name)
		}
	}
	if len(all) < 1000 {
		t.Errorf("%d spellings", len(all))
	}
}
