package names

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.mau.fi/util/confusable"
)

func TestRoom(t *testing.T) {
	for in, want := range map[string]string{
		"den": "den", "Den": "Den", "a-b_c.d": "a-b_c.d", "...": "...", "1": "1",
		"Ku\u0308che": "K\u00fcche", "K\u00fcche": "K\u00fcche", // NFD and NFC
		"\uff24\uff25\uff2e": "DEN", "\uff41\uff11": "a1", // full width
		"\u30ad\u30c3\u30c1\u30f3": "\u30ad\u30c3\u30c1\u30f3", "\uff77\uff6f\uff81\uff9d": "\u30ad\u30c3\u30c1\u30f3", // half width
		"кухня": "кухня", "\u05d0\u05d1": "\u05d0\u05d1", "\u0645\u0637\u0628\u062e": "\u0645\u0637\u0628\u062e", "\u0905\u0902\u0915": "\u0905\u0902\u0915",
		"\u0915\u094d\u200d\u0937": "\u0915\u094d\u200d\u0937", // a joiner behind a virama
		"комната-人.1_":             "комната-人.1_", "ü-": "ü-", "1ü": "1ü", "-ü": "-ü", "\u05d3\u05e0\u05d4-3": "\u05d3\u05e0\u05d4-3",
		"\u1ea5": "\u1ea5", strings.Repeat("a", MaxRoom): strings.Repeat("a", MaxRoom), strings.Repeat("\u00fc", MaxRoom): strings.Repeat("\u00fc", MaxRoom),
	} {
		got, err := Room(in)
		if err != nil || got != want {
			t.Errorf("%+q is %+q, %v; want %+q", in, got, err, want)
		}
		if again, err := Room(got); err != nil || again != got {
			t.Errorf("%+q is %+q, and that %+q, %v", in, got, again, err)
		}
	}
	for in, want := range map[string]string{
		"": "empty", ".": "step", "..": "step", "\uff0e": "step", "a b": "' ' (U+0020)", "a/b": "U+002F", "a\x00": "U+0000", "\xff": "UTF-8",
		strings.Repeat("a", MaxRoom+1): "longer than 64", strings.Repeat("\u00fc", MaxRoom+1): "longer than 64",
		"a\u200bb": "U+200B", "a\u034f": "U+034F", "a\u115f": "U+115F", "a\u3164": "U+3164", "a\uffa0": "U+FFA0", "\u2800": "U+2800", "a\ufe0f": "U+FE0F", "a\U000e0100": "U+E0100",
		"a\u200db": "U+200D", "a\u200cb": "U+200C", "a\u05d0": "RFC 5893", "\u0661a": "RFC 5893",
		"e\u0301\u0301\u0301\u0301\u0301\u0301": "marks", "\u017f": "U+017F", "😀": "U+1F600",
	} {
		if got, err := Room(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+q is %+q, %v; want an error with %q", in, got, err, want)
		}
	}
}

func TestUser(t *testing.T) {
	for in, want := range map[string]string{
		"Alice": "Alice", "  Alice ": "Alice", "Ann  Lee": "Ann Lee", "Ann\u00a0\u2003Lee": "Ann Lee", "\u3000Ann": "Ann", "O'Neil (2)": "O'Neil (2)", "a+b@c": "a+b@c",
		"Zoe\u0308": "Zo\u00eb", "\uff21\uff4e\uff4e": "Ann", "\ufb01sh": "fish", "\u2122": "TM", "№1": "No1",
		"Οδυσσέας": "Οδυσσέας", "\u05d3\u05e0\u05d4 3": "\u05d3\u05e0\u05d4 3", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", // Persian
		"\u0915\u094d\u200d\u0937": "\u0915\u094d\u200d\u0937", "😀": "😀", "Ann 👩\u200d🚀": "Ann 👩\u200d🚀", "❤\ufe0f": "❤\ufe0f", "🏳\ufe0f\u200d🌈": "🏳\ufe0f\u200d🌈", "👋🏽": "👋🏽", "🇩🇪": "🇩🇪", "1\ufe0f\u20e3": "1\ufe0f\u20e3",
		"\U0001faef":                      "\U0001faef", // not an emoji yet
		strings.Repeat("\u00fc", MaxUser): strings.Repeat("\u00fc", MaxUser),
	} {
		got, err := User(in)
		if err != nil || got != want {
			t.Errorf("%+q is %+q, %v; want %+q", in, got, err, want)
		}
		if again, err := User(got); err != nil || again != got {
			t.Errorf("%+q is %+q, and that %+q, %v", in, got, again, err)
		}
	}
	for in, want := range map[string]string{
		"": "empty", " ": "empty", "\u00a0\u3000": "empty", "\xff": "UTF-8", strings.Repeat("a", MaxUser+1): "longer than 32", strings.Repeat("\ufdfa", MaxUser): "longer than 32", strings.Repeat("a ", 1000): "longer than 32",
		"a\nb": "U+000A", "a\tb": "U+0009", "a\x7f": "U+007F", "a\u202eb": "U+202E", "a\u2066b": "U+2066", "a\u200b": "U+200B", "a\u2060": "U+2060", "a\ufeff": "U+FEFF", "a\u2028b": "U+2028", "\ue000": "U+E000",
		"a\u200db": "U+200D", "a\u200c": "U+200C", "Ann\ufe0f": "U+FE0F", "\ufe0f": "U+FE0F", "😀\ufe0f\ufe0f": "U+FE0F", "😀\u200d": "U+200D", "a\u034fb": "U+034F", "\u115f": "U+11", "\u3164": "U+11", "\uffa0": "U+11",
		"\u2800": "U+2800", "a\u2800": "U+2800", "a\U000e0100": "U+E0100", "a\u0301\u0301\u0301\u0301\u0301": "marks", "\u0301": "seen", "\U000e0067": "U+E0067", "\ufff9": "U+FFF9", "a\u0378": "U+0378",
	} {
		if got, err := User(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+q is %+q, %v; want an error with %q", in, got, err, want)
		}
	}
}

// TestRegionFlags: the flags of England, Scotland and Wales are emoji; no other region has one, and no part of one is let in.
func TestRegionFlags(t *testing.T) {
	const end = "\U000e007f"
	tag := func(code string) (s string) {
		for _, r := range code {
			s += string(0xe0000 + r)
		}
		return "\U0001f3f4" + s
	}
	for _, code := range []string{"gbeng", "gbsct", "gbwls"} {
		for _, name := range []string{tag(code) + end, "Ann " + tag(code) + end, tag(code) + end + "🇩🇪" + tag("gbwls") + end} {
			if got, err := User(name); err != nil || got != name {
				t.Errorf("%+q is %+q, %v", name, got, err)
			}
		}
		flag := []rune(tag(code) + end)
		for n := 2; n < len(flag); n++ {
			if got, err := User(string(flag[:n])); err == nil || !strings.Contains(err.Error(), "U+E00") {
				t.Errorf("%+q is %+q, %v", string(flag[:n]), got, err)
			}
		}
	}
	for _, name := range []string{tag("gbnir") + end, tag("usca") + end, tag("gbengx") + end, tag("gbeng") + end + end, "\U0001f3f3" + tag("gbeng")[4:] + end, tag("GBENG") + end} {
		if got, err := User(name); err == nil || !strings.Contains(err.Error(), "U+E00") {
			t.Errorf("%+q is %+q, %v", name, got, err)
		}
	}
	if got, err := User("\U0001f3f4"); err != nil || got != "\U0001f3f4" {
		t.Errorf("the flag alone: %+q, %v", got, err)
	}
}

func TestSet(t *testing.T) {
	var s Set
	if s.Has("admin") {
		t.Error("the empty set has admin")
	}
	s.Add("Admin")
	s.Add("alice")
	s.Add("Modér 1")
	s.Add("Straße")
	for _, taken := range []string{"Admin", "admin", "ADMIN", "аdmin", "Аdmin", "adm\u0456n", "admın", "aIice", "AIice", "al\u0456ce", "a1ice", "MODÉR 1", "Modér l", "STRASSE", "strasse"} {
		name, err := User(taken)
		if err != nil {
			t.Fatal(err)
		}
		if !s.Has(name) {
			t.Errorf("%+q passes for nobody", taken)
		}
	}
	for _, free := range []string{"Adam", "admin2", "Alicia", "bob", "moder 1", "administrator", "👩\u200d🚀"} {
		if s.Has(free) {
			t.Errorf("%+q is taken", free)
		}
	}
}

// What was let in before is what an import takes as it is.
func TestPast(t *testing.T) {
	for _, was := range []string{"Ann", "Zoe\u0308", "a\u2800b", "a\u3164", "a  b", "\uff21nn", "\U0001faef", "a\u200db"} {
		if !Past(was) {
			t.Errorf("%+q was let in", was)
		}
	}
	for _, was := range []string{"", " Ann", "\xff", "a\nb", "a\u202eb", "\u2800\u3164", "\ue000", "a\ufdd0", strings.Repeat("a", MaxUser+1)} {
		if Past(was) {
			t.Errorf("%+q was not let in", was)
		}
	}
}

// The short way of ASCII leads where the long one does.
func TestPlainKeys(t *testing.T) {
	for a := byte(' '); a <= '~'; a++ {
		for b := byte(' '); b <= '~'; b++ {
			name := string([]byte{a, b})
			keys, ok := plainKeys(name)
			if want := (Keys{confusable.Skeleton(fold(name)), fold(confusable.Skeleton(name))}); ok && keys != want || ok == strings.Contains(name, "%") {
				t.Errorf("%q: %q, %v, want %q", name, keys, ok, want)
			}
		}
	}
	if _, ok := plainKeys(strings.Repeat("m", MaxUser)); !ok {
		t.Error("the longest name is not short enough")
	}
	for _, x := range [][2]string{{"", "a"}, {"a", ""}, {"Bob", "Rob"}, {"i", "l"}} {
		if Alike(x[0], x[1]) {
			t.Errorf("%q looks like %q", x[0], x[1])
		}
	}
}

func TestPlainNamesCostNothing(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if _, err := Room("living-room.2"); err != nil {
			t.Fatal(err)
		}
		if _, err := User("Ann Lee (2)"); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzUser: whatever comes in, what comes out is its own form, can be read, and is as short as it may be.
func FuzzUser(f *testing.F) {
	for _, s := range []string{"Alice", " a  b ", "Zoe\u0308", "👩\u200d🚀", "❤\ufe0f", "\u0645\u06cc\u200c\u062e", "\ufdfa", "\u2122\ufe0f", "1\ufe0f\u20e3", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		began := time.Now()
		name, err := User(s)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%+q took %v", s, took)
		}
		if err != nil {
			if name != "" {
				t.Errorf("%+q: %q beside an error", s, name)
			}
			return
		}
		if again, err := User(name); err != nil || again != name {
			t.Errorf("%+q is %+q, and that is %+q, %v", s, name, again, err)
		}
		if n := utf8.RuneCountInString(name); n < 1 || n > MaxUser || !utf8.ValidString(name) || strings.TrimSpace(name) != name {
			t.Errorf("%+q is %+q", s, name)
		}
		var set Set
		set.Add(name)
		if !set.Has(name) {
			t.Errorf("%+q does not look like itself", name)
		}
	})
}

// FuzzRoom: the same of rooms, and a path can name them.
func FuzzRoom(f *testing.F) {
	for _, s := range []string{"den", "Ku\u0308che", "\uff24", "\uff0e", "\u05d0", "\u0915\u094d\u200d\u0937", "..", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := Room(s)
		if err != nil {
			return
		}
		if again, err := Room(name); err != nil || again != name {
			t.Errorf("%+q is %+q, and that is %+q, %v", s, name, again, err)
		}
		if n := utf8.RuneCountInString(name); n < 1 || n > MaxRoom || name == "." || name == ".." || strings.ContainsAny(name, "/%? \x00") {
			t.Errorf("%+q is %+q", s, name)
		}
	})
}
