package frame

import (
	"bytes"
	"testing"
)

func TestFrames(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 127, 65_535, 65_536, 100_000} {
		payload := bytes.Repeat([]byte("x"), n)
		want := append([]byte("before"), Append(nil, Binary, payload)...)
		got := Begin([]byte("before"))
		got = append(got, payload...)
		got = End(got, len("before"), Binary)
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes: built in place it is another frame", n)
		}
		if l := Len(want[len("before"):]); l != len(want)-len("before") {
			t.Errorf("%d bytes: length %d", n, l)
		}
	}
	three := bytes.Repeat(Append(nil, Text, []byte("abc")), 3)
	for n, want := range map[int]int{0: 0, 1: 5, 5: 5, 6: 10, 14: 15, 15: 15} {
		if got := Whole(three, n); got != want {
			t.Errorf("%d of 15 bytes are whole frames up to %d, want %d", n, got, want)
		}
	}
}
