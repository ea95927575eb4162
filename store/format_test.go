package store

import (
	"bytes"
	"testing"
)

// sealed is a body with the checksum that belongs to it: what a version of this
// program has written, not what a card has damaged.
func sealed(body []byte) []byte { return appendChecksum(bytes.Clone(body), 0) }

func bodyOf(b []byte) []byte { return b[:len(b)-4] }

// Only what this version writes is read: nothing may stand behind it, nothing may be
// missing at its end, and each bound of the format holds.
func TestFormatTakesNothingElse(t *testing.T) {
	st := state{clean: true, tally: tally{messages: 7, places: 3}, floor: 9, epochs: epochs{{n: 1, name: "k3f9q2"}, {n: 5, name: "z", lossy: true}}}
	p := place{head: 300, starts: []start{{n: 1, first: 1, name: "k3f9q2"}, {n: 5, first: 200, name: "z"}}}
	isState := func(b []byte) error { _, err := decodeState(b); return err }
	isPlace := func(b []byte) error { _, err := decodePlace(b); return err }
	for _, c := range []struct {
		name   string
		good   []byte
		decode func([]byte) error
	}{
		{"state", st.append(nil), isState},
		{"place", p.append(nil), isPlace},
	} {
		body := bodyOf(c.good)
		if err := c.decode(sealed(body)); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		for _, more := range []string{"\x00", "\x01", "more"} {
			if err := c.decode(sealed(append(bytes.Clone(body), more...))); err == nil {
				t.Errorf("%s with %q behind it is taken", c.name, more)
			}
		}
		for n := range body {
			if err := c.decode(sealed(body[:n])); err == nil {
				t.Errorf("%s cut to %d of %d bytes is taken", c.name, n, len(body))
			}
		}
		for n := range c.good {
			if err := c.decode(c.good[:n]); err == nil {
				t.Errorf("%s cut to %d bytes, checksum and all, is taken", c.name, n)
			}
		}
		later := bytes.Clone(body)
		later[0]++
		if err := c.decode(sealed(later)); err == nil {
			t.Errorf("a %s of a later version is taken", c.name)
		}
	}
	if err := isState((&state{}).append(nil)); err == nil {
		t.Error("a state without any epoch is taken")
	}
	if err := isPlace((&place{head: 1}).append(nil)); err == nil {
		t.Error("a place without any start is taken")
	}
}

// What is read is what was written, and what version 1 did not have is not read from what follows.
func TestFormatHolds(t *testing.T) {
	for _, clean := range []bool{false, true} {
		st := state{clean: clean, tally: tally{messages: 7, places: 3}, floor: 9, epochs: epochs{{n: 1, name: "k3f9q2"}}}
		got, err := decodeState(st.append(nil))
		if err != nil || got.clean != clean || got.tally != st.tally || got.floor != 9 || len(got.epochs) != 1 {
			t.Errorf("%+v, %v; want %+v", got, err, st)
		}
	}
	p := place{head: 300, left: 44, starts: []start{{n: 1, first: 1, name: "k3f9q2"}}}
	body := bodyOf(p.append(nil))
	if got, err := decodePlace(sealed(body)); err != nil || got.head != 300 || got.left != 44 || len(got.starts) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
	first := append([]byte{1}, body[1:3]...) // the version, and a head of two bytes
	first = append(first, body[4:]...)       // without the byte of left
	if got, err := decodePlace(sealed(first)); err != nil || got.head != 300 || got.left != 0 || len(got.starts) != 1 || got.starts[0].name != "k3f9q2" {
		t.Errorf("of version 1: %+v, %v", got, err)
	}
	first[0] = 0
	if got, err := decodePlace(sealed(first)); err == nil {
		t.Errorf("of version 0, which was none: %+v", got)
	}
}
