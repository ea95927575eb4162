package ws

import (
	"errors"
	"testing"
)

// TestJSON: what is taken is one value of the type and nothing else.
func TestJSON(t *testing.T) {
	type point struct{ X, Y int }
	decode := JSON(func(p *point) error {
		if p.X < 0 {
			return errors.New("X is negative")
		}
		p.Y++
		return nil
	})
	for _, test := range []struct {
		text   string
		binary bool
		want   point // zero is an error
	}{
		{text: `{"X":1,"Y":2}`, want: point{1, 3}},
		{text: " {\"X\":1}\n", want: point{1, 1}},
		{text: `{"X":1,"Z":2}`}, {text: `{"X":-1}`}, {text: `{"X":"1"}`}, {text: `{"X":1`}, {text: ``}, {text: `[1,2]`},
		{text: `{"X":1} {"X":1}`}, {text: `{"X":1}]`}, {text: `{"X":1}`, binary: true},
	} {
		got, err := decode(test.binary, []byte(test.text))
		if got != test.want || (err == nil) != (test.want != point{}) {
			t.Errorf("%q: %v, %v, want %v", test.text, got, err, test.want)
		}
	}
	if got, err := JSON[int](nil)(false, []byte("7")); got != 7 || err != nil {
		t.Errorf("without a check: %v, %v", got, err)
	}
}
