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
