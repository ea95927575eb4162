package codec

import (
	"math"
	"strings"
	"testing"

	"edgechat/refusal"
)

func TestID(t *testing.T) {
	for text, want := range map[string]ID{
		"k3f9q2-1042":                       {"k3f9q2", 1042},
		"a-0":                               {"a", 0},
		"0-0":                               {"0", 0},
		"AZaz09-9":                          {"AZaz09", 9},
		"0123456789ABCDEF-9007199254740991": {"0123456789ABCDEF", 1<<53 - 1},
	} {
		got, err := ParseID(text)
		if err != nil || got != want || got.String() != text || string(got.Append([]byte("x"))) != "x"+text {
			t.Errorf("%s: got %+v, %v, which is %s", text, got, err, got)
		}
	}
	for text, why := range map[string]string{
		"":                       "it is empty",
		"-":                      `before the "-" go 1-16 ASCII letters and digits`,
		"-1":                     `before the "-" go 1-16 ASCII letters and digits`,
		"é-1":                    `before the "-" go 1-16 ASCII letters and digits`,
		"a b-1":                  `before the "-" go 1-16 ASCII letters and digits`,
		"a\xff-1":                `before the "-" go 1-16 ASCII letters and digits`,
		"0123456789ABCDEFG-1":    `before the "-" go 1-16 ASCII letters and digits`,
		"a":                      `there is no "-" in it`,
		"all":                    `there is no "-" in it`,
		"a-":                     `after the "-" goes a whole number without sign or leading zeros`,
		"a-01":                   `after the "-" goes a whole number without sign or leading zeros`,
		"a-00":                   `after the "-" goes a whole number without sign or leading zeros`,
		"a-+1":                   `after the "-" goes a whole number without sign or leading zeros`,
		"a--1":                   `after the "-" goes a whole number without sign or leading zeros`,
		"a-1-1":                  `after the "-" goes a whole number without sign or leading zeros`,
		"a-1 ":                   `after the "-" goes a whole number without sign or leading zeros`,
		"a-1e3":                  `after the "-" goes a whole number without sign or leading zeros`,
		"a-٣":                    `after the "-" goes a whole number without sign or leading zeros`,
		"a-9007199254740992":     "its number is not below 2^53",
		"a-18446744073709551616": "its number is not below 2^53",

		"0123456789ABCDEF-99999999999999999999": "its number is not below 2^53", // as long as an ID gets
		strings.Repeat("a", 38):                 "it is too long",
	} {
		got, err := ParseID(text)
		want := quote(text) + " is no message id like k3f9q2-1042: " + why
		if got != (ID{}) || !says(err, refusal.InvalidQuery, want) {
			t.Errorf("%q:\n got %+v, %v\nwant %s", text, got, err, want)
		}
	}
}

// Every byte, and so those next to a letter or a digit.
func TestEpochBytes(t *testing.T) {
	const epoch = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for c := range 256 {
		text := string([]byte{byte(c)}) + "-1"
		_, err := ParseID(text)
		if want := strings.IndexByte(epoch, byte(c)) >= 0; (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestIDWithoutText(t *testing.T) {
	if got := (ID{}).String(); got != "" {
		t.Errorf("the zero ID is %q", got)
	}
	if got := (ID{"0123456789ABCDEF", math.MaxUint64}).String(); len(got) != maxID {
		t.Errorf("the longest ID is %q, maxID is %d", got, maxID)
	}
}
