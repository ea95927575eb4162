package codec

import (
	"bytes"
	"fmt"
	"math/bits"
	"testing"
)

// A form is a value in one of the forms of MessagePack's specification.
type form struct {
	kind  kind
	value []byte
}

// formsMsgPack has each of them, with the least and the most that one without a size of its own holds.
func formsMsgPack() []form {
	fill := func(n int) []byte { return bytes.Repeat([]byte{0x01}, n) } // n fixints, too
	forms := []form{
		{kindInt, []byte{0x00}}, {kindInt, []byte{0x7f}}, {kindInt, []byte{0xe0}}, {kindInt, []byte{0xff}},
		{kindMap, []byte{0x80}}, {kindMap, mp([]byte{0x8f}, fill(30))},
		{kindArray, []byte{0x90}}, {kindArray, mp([]byte{0x9f}, fill(15))},
		{kindString, []byte{0xa0}}, {kindString, mp([]byte{0xbf}, fill(31))},
		{kindBool, []byte{0xc2}}, {kindBool, []byte{0xc3}},
		{kindFloat, mp([]byte{0xca}, fill(4))}, {kindFloat, mp([]byte{0xcb}, fill(8))},
	}
	for i := range 4 { // uint and int 8 to 64
		forms = append(forms, form{kindInt, mp([]byte{0xcc + byte(i)}, fill(1<<i))}, form{kindInt, mp([]byte{0xd0 + byte(i)}, fill(1<<i))})
	}
	for i := range 5 { // fixext 1 to 16
		forms = append(forms, form{kindExt, mp([]byte{0xd4 + byte(i)}, fill(1+1<<i))})
	}
	for i := range 3 { // bin, ext and str, whose sizes are of 1, 2 and 4 bytes
		for _, n := range []int{0, 1, 40} {
			size := append(make([]byte, 1<<i-1), byte(n))
			forms = append(forms, form{kindBinary, mp([]byte{0xc4 + byte(i)}, size, fill(n))},
				form{kindExt, mp([]byte{0xc7 + byte(i)}, size, fill(1+n))}, form{kindString, mp([]byte{0xd9 + byte(i)}, size, fill(n))})
		}
	}
	for i := range 2 { // array and map, whose sizes are of 2 and 4 bytes
		for _, n := range []int{0, 1, 40} {
			size := append(make([]byte, 2<<i-1), byte(n))
			forms = append(forms, form{kindArray, mp([]byte{0xdc + byte(i)}, size, fill(n))}, form{kindMap, mp([]byte{0xde + byte(i)}, size, fill(2*n))})
		}
	}
	return forms
}

// Every form is skipped under a name that is not known, wherever it stands, and told apart
// under one that takes a string alone. Cut by a byte it is refused.
func TestFormsOfMsgPack(t *testing.T) {
	for _, c := range formsMsgPack() {
		typing := mp("type", "typing")
		for where, in := range map[string][]byte{
			"first":       mp([]byte{0x82}, "x", c.value, typing),
			"last":        mp([]byte{0x82}, typing, "x", c.value),
			"in an array": mp([]byte{0x82}, "x", []byte{0x92}, c.value, 1, typing),
		} {
			if got, err := (Limits{}).DecodeClient(true, in); err != nil || got != (Client{Type: TypeTyping}) {
				t.Errorf("% x, %s: %+v, %v", c.value, where, got, err)
			}
		}
		cut := mp([]byte{0x82}, typing, "x", c.value[:len(c.value)-1])
		if _, err := (Limits{}).DecodeClient(true, cut); err == nil {
			t.Errorf("% x without its last byte is taken", c.value)
		}
		_, err := Limits{}.DecodeClient(true, mp([]byte{0x82}, "type", "message", "content", c.value))
		want := fmt.Sprintf("invalid_message: content must be a string, not %s", c.kind)
		if c.kind == kindString && err != nil || c.kind != kindString && (err == nil || err.Error() != want) {
			t.Errorf("% x as content: %v, not %s", c.value, err, want)
		}
	}
}

// A whole number is the same one in each width that it fits, signed or not.
func TestWidthsOfIntegers(t *testing.T) {
	for _, c := range []struct {
		bytes []byte
		want  int
	}{
		{[]byte{7}, 7}, {[]byte{1, 2}, 258}, {[]byte{0, 1, 0, 2}, 65538}, {[]byte{0, 0, 0, 0, 0, 1, 0, 2}, 65538},
	} {
		width := byte(bits.TrailingZeros(uint(len(c.bytes))))
		for _, lead := range []byte{0xcc + width, 0xd0 + width} {
			in := mp([]byte{0x83}, "type", "join", "room", "den", "limit", []byte{lead}, c.bytes)
			if got, err := (Limits{}).DecodeClient(true, in); err != nil || got.Join.Limit != c.want {
				t.Errorf("%x % x: limit %d, %v; want %d", lead, c.bytes, got.Join.Limit, err, c.want)
			}
		}
	}
}
