package codec

import (
	"errors"
	"strings"
	"testing"

	"edgechat/refusal"
)

func TestCheckRoom(t *testing.T) {
	for _, name := range []string{
		"general", "a", "...", ".a", "-", "_", "0", "Größe", "部屋", "غرفة", "ห้อง", "कमरा", "e\u0301", "٣",
		strings.Repeat("x", 64), strings.Repeat("部", 64), strings.Repeat("𝒳", 64),
	} {
		if err := CheckRoom(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	const use = "; use letters, digits, marks, - _ and ."
	for name, want := range map[string]string{
		"":                       "the name of the room is empty; give it 1-64 characters",
		".":                      `a room cannot be named ".", which is a step in a path`,
		"..":                     `a room cannot be named "..", which is a step in a path`,
		strings.Repeat("x", 65):  "the name of the room is longer than 64 characters",
		strings.Repeat("部", 65):  "the name of the room is longer than 64 characters",
		strings.Repeat("x", 1e6): "the name of the room is longer than 64 characters",
		"a\xff":                  "the name of the room is not valid UTF-8",
		"\xed\xa0\x80":           "the name of the room is not valid UTF-8",
		"a b":                    "the name of the room may not hold ' ' (U+0020)" + use,
		"a/b":                    "the name of the room may not hold '/' (U+002F)" + use,
		"a%b":                    "the name of the room may not hold '%' (U+0025)" + use,
		"a\x00":                  "the name of the room may not hold U+0000" + use,
		"a\u202eb":               "the name of the room may not hold U+202E" + use,
		"a\u200db":               "the name of the room may not hold U+200D" + use,
		"😀":                      "the name of the room may not hold '😀' (U+1F600)" + use,
		"²":                      "the name of the room may not hold '²' (U+00B2)" + use, // No, not Nd
		"Ⅳ":                      "the name of the room may not hold 'Ⅳ' (U+2163)" + use, // Nl
		"\ufffd":                 "the name of the room may not hold '�' (U+FFFD)" + use,
	} {
		if e := CheckRoom(name); !says(e, refusal.InvalidRoom, want) {
			t.Errorf("%.70q:\n got %v\nwant %s", name, e, want)
		}
	}
}

func TestCleanUsername(t *testing.T) {
	for name, want := range map[string]string{
		"Alice":                               "Alice",
		" \t\u3000Alice B\n":                  "Alice B",
		"李\u3000明":                            "李\u3000明", // the space of Japanese and Chinese
		"می\u200cخواهم":                       "می\u200cخواهم",
		"👩\u200d💻":                            "👩\u200d💻",
		"❤\ufe0f":                             "❤\ufe0f",
		"e\u0301":                             "e\u0301",
		"🫩":                                   "🫩",          // of Unicode 16
		"\U0001fc00":                          "\U0001fc00", // of no Unicode yet
		"<b>&\"'\\":                           "<b>&\"'\\",
		strings.Repeat("x", 32):               strings.Repeat("x", 32),
		strings.Repeat("😀", 32):               strings.Repeat("😀", 32),
		"  " + strings.Repeat("x", 32) + "  ": strings.Repeat("x", 32),
	} {
		if got, err := CleanUsername(name); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", name, got, err, want)
		}
	}
	const hold, use = "the username may not hold ", "; use characters that can be printed"
	const empty = "the username is empty; give it 1-32 characters"
	const blank = "nothing of the username can be seen; add a letter or a digit"
	for name, want := range map[string]string{
		"":                      empty,
		" \t\u3000\u2028\n":     empty,
		strings.Repeat("x", 33): "the username is longer than 32 characters",
		strings.Repeat("😀", 33): "the username is longer than 32 characters",
		"a\xffb":                "the username is not valid UTF-8",
		"a\x00b":                hold + "U+0000" + use,
		"a\nb":                  hold + "U+000A" + use,
		"a\x1b[31m":             hold + "U+001B" + use,
		"a\x7fb":                hold + "U+007F" + use,
		"a\u0085b":              hold + "U+0085" + use,
		"a\u2028b":              hold + "U+2028" + use,
		"a\u2029b":              hold + "U+2029" + use,
		"a\u202eb":              hold + "U+202E" + use, // override
		"a\u2066b":              hold + "U+2066" + use, // isolate
		"a\u200fb":              hold + "U+200F" + use, // mark of direction
		"a\u061cb":              hold + "U+061C" + use,
		"a\u200bb":              hold + "U+200B" + use, // zero-width space
		"a\ufeffb":              hold + "U+FEFF" + use,
		"a\u00adb":              hold + "U+00AD" + use,
		"a\U000e0041":           hold + "U+E0041" + use, // tag
		"a\ue000":               hold + "U+E000" + use,
		"a\uffff":               hold + "U+FFFF" + use,
		"\u200d\u200c":          blank,
		"\u200d \u3000\u200d":   blank,
		"\u3164":                blank,
		"\uffa0\u115f":          blank,
		"\u2800":                blank,
		"\u0301":                blank,
		"\ufe0f":                blank,
	} {
		got, err := CleanUsername(name)
		if got != "" || !says(err, refusal.InvalidUsername, want) {
			t.Errorf("%.70q:\n got %q, %v\nwant %s", name, got, err, want)
		}
	}
}

// TestCheckNilError guards against a nil *refusal.Error in an error, which is not nil.
func TestCheckNilError(t *testing.T) {
	if err := CheckKey("c-17"); err != nil {
		t.Errorf("CheckKey: %v", err)
	}
	if err := CheckKey(strings.Repeat("ö", 64)); err != nil {
		t.Errorf("CheckKey: %v", err)
	}
	for _, key := range []string{"", "\x00", "a\u0085", "\xff", strings.Repeat("x", 65)} {
		if e, ok := errors.AsType[*refusal.Error](CheckKey(key)); !ok || e.Code != refusal.InvalidMessage {
			t.Errorf("CheckKey(%q): %v", key, e)
		}
	}
}

// says reports whether err is a refusal of code with this message.
func says(err error, code refusal.Code, message string) bool {
	e, ok := errors.AsType[*refusal.Error](err)
	return ok && e.Code == code && e.Message == message
}
