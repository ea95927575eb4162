package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// TestRecordNoticesFlips flips every bit, and every two neighbouring bytes, and
// cuts everywhere.
func TestRecordNoticesFlips(t *testing.T) {
	whole := AppendRecord(nil, &record)
	if got, err := DecodeRecord(whole); err != nil || got != record {
		t.Fatalf("got %+v, %v", got, err)
	}
	damaged := func(what string, b []byte) {
		t.Helper()
		got, err := DecodeRecord(b)
		if !errors.Is(err, ErrChecksum) || got != (Record{}) {
			t.Errorf("%s: got %+v, %v", what, got, err)
		}
	}
	for i := range 8 * len(whole) {
		whole[i/8] ^= 1 << (i % 8)
		damaged(fmt.Sprintf("bit %d flipped", i), whole)
		whole[i/8] ^= 1 << (i % 8)
	}
	for i := range whole[1:] {
		a, b := whole[i], whole[i+1]
		if a != b {
			whole[i], whole[i+1] = b, a
			damaged(fmt.Sprintf("bytes %d and %d exchanged", i, i+1), whole)
		}
		whole[i], whole[i+1] = a^0xff, b^0xff
		damaged(fmt.Sprintf("bytes %d and %d inverted", i, i+1), whole)
		whole[i], whole[i+1] = a, b
	}
	for n := range whole {
		want := ErrChecksum
		if n < minRecord {
			want = ErrRecord
		}
		if got, err := DecodeRecord(whole[:n:n]); !errors.Is(err, want) || got != (Record{}) {
			t.Errorf("cut at %d: got %+v, %v", n, got, err)
		}
	}
	damaged("zeros", make([]byte, 64))
	damaged("a byte more", append(whole, 0))
}

// sealed appends the checksum that makes a record whole.
func sealed(body ...byte) []byte {
	return binary.BigEndian.AppendUint32(slices.Clip(body), checksum(body))
}

func TestRecordThatIsNone(t *testing.T) {
	zero := AppendRecord(nil, &Record{})
	body := zero[:len(zero)-checksumSize]
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"nothing":           {nil, ErrRecord},
		"version 4":         {sealed(append([]byte{4}, body[1:]...)...), ErrVersion},
		"eleven for seven":  {sealed(append([]byte{1}, body[1:]...)...), ErrRecord},
		"seven for eleven":  {sealed(2, 0x97, 0xa0, 0xa0, 0, 0, 0xa0, 0xa0, 0xa0), ErrRecord},
		"state 3":           {sealed(2, 0x9b, 0xa0, 0xa0, 0, 0, 0xa0, 0xa0, 0xa0, 0, 3, 0xa0, 0), ErrRecord},
		"state 16":          {sealed(3, 0x9b, 0xa0, 0xa0, 0, 0, 0xa0, 0xa0, 0xa0, 0, 16, 0xa0, 0), ErrRecord},
		"state 8 before 3":  {sealed(2, 0x9b, 0xa0, 0xa0, 0, 0, 0xa0, 0xa0, 0xa0, 0, 8, 0xa0, 0), ErrRecord},
		"version 0":         {sealed(append([]byte{0}, body[1:]...)...), ErrVersion},
		"an array of six":   {sealed(1, 0x96, 0xa0, 0xa0, 0, 0, 0xa0, 0xa0), ErrRecord},
		"an array of more":  {sealed(1, 0x98, 0xa0, 0xa0, 0, 0, 0xa0, 0xa0, 0xa0, 0xa0), ErrRecord},
		"a map":             {sealed(1, 0x80), ErrRecord},
		"a number for text": {sealed(1, 0x97, 1, 0xa0, 0, 0, 0xa0, 0xa0, 0xa0), ErrRecord},
		"a byte more":       {sealed(append(body[:len(body):len(body)], 0)...), ErrRecord},
		"cut":               {sealed(body[:len(body)-1]...), ErrRecord},
		// On 32 bits these sizes are negative.
		"text of 2^32-1": {sealed(1, 0x97, 0xdb, 0xff, 0xff, 0xff, 0xff), ErrRecord},
		"text of 2^31":   {sealed(1, 0x97, 0xdb, 0x80, 0, 0, 0), ErrRecord},
	} {
		got, err := DecodeRecord(c.in)
		if !errors.Is(err, c.want) || got != (Record{}) {
			t.Errorf("%s: got %+v, %v; want %v", name, got, err, c.want)
		}
	}
	if got, err := DecodeRecord(sealed(body...)); err != nil || got != (Record{}) {
		t.Errorf("the zero record: got %+v, %v", got, err)
	}
}
