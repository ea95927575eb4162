package codec

import (
	"errors"
	"strings"
	"testing"

	"edgechat/refusal"
)

func TestErrorIsAnError(t *testing.T) {
	var err error = &Error{Code: refusal.Forbidden, Message: "no bread today", Key: "c-1"}
	if e, ok := errors.AsType[*Error](err); !ok || e.Key != "c-1" || err.Error() != "forbidden: no bread today" {
		t.Errorf("got %#v, %v", e, err)
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"":                            `""`,
		"a\"b\n":                      `"a\"b\n"`,
		strings.Repeat("x", 32):       `"` + strings.Repeat("x", 32) + `"`,
		strings.Repeat("x", 33):       `"` + strings.Repeat("x", 32) + `"...`,
		strings.Repeat("x", 31) + "é": `"` + strings.Repeat("x", 31) + `"...`,
		strings.Repeat("\x80", 40):    `"` + strings.Repeat(`\x80`, 28) + `"...`,
	} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) is %s, want %s", in, got, want)
		}
	}
}
