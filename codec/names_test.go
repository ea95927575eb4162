package codec

import (
	"errors"
	"strings"
	"testing"

	"edgechat/refusal"
)

// What a name may be is tested where it is decided; here, that it is told as codec tells things.
func TestNames(t *testing.T) {
	if got, err := CleanRoom("Ku\u0308che"); err != nil || got != "K\u00fcche" {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := CleanUsername(" \tZoe\u0308 B\n"); err != nil || got != "Zo\u00eb B" {
		t.Errorf("%q, %v", got, err)
	}
	got, err := CleanRoom("a b")
	if got != "" || !says(err, refusal.InvalidRoom, "the name of the room may not hold ' ' (U+0020); use letters, digits, marks, - _ and .") {
		t.Errorf("%q, %v", got, err)
	}
	got, err = CleanUsername("a\u202eb")
	if got != "" || !says(err, refusal.InvalidUsername, "the username may not hold U+202E; use characters that can be printed") {
		t.Errorf("%q, %v", got, err)
	}
}

// TestRoomForms: a frame names a room by any of its spellings, and is told of it by its form.
func TestRoomForms(t *testing.T) {
	l := Limits{MaxContent: 100}
	for _, frame := range []string{`{"type":"join","room":"Ku\u0308che"}`, `{"type":"message","room":"K\u00fcche","content":"x"}`, `{"type":"leave","room":"Ku\u0308che"}`} {
		c, err := l.DecodeClient(false, []byte(frame))
		if err != nil || c.Room != "K\u00fcche" {
			t.Errorf("%s: %q, %v", frame, c.Room, err)
		}
	}
	_, err := l.DecodeClient(false, []byte(`{"type":"message","room":"Ku\u0308che","content":1}`))
	if e, ok := errors.AsType[*Error](err); !ok || e.Room != "K\u00fcche" {
		t.Errorf("%v", err)
	}
	if c, err := l.DecodeClient(false, []byte(`{"type":"message","room":"a b","content":"x"}`)); err != nil || c.Room != "a b" {
		t.Errorf("%q, %v", c.Room, err) // a room that nobody can be in
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
