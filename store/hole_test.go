package store

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"edgechat/codec"
)

// TestLimitPastHoles: a limit counts messages. What was lost makes no page short, or empty where there is more: whoever reads page
// after page takes that for the end.
func TestLimitPastHoles(t *testing.T) {
	s := open(t, Config{})
	from := s.Head("den")
	for i := range 9 {
		say(t, s, "den", fmt.Sprint(i+1))
	}
	sayFolded(t, s, "den", "10", "")
	r, release := s.lookUp("den")
	for _, offset := range []uint64{2, 3, 4, 9, 10} {
		s.loseLocked(r, offset, r.slot(offset))
	}
	release()
	one := codec.ID{Epoch: from.Epoch, Offset: 1}
	for what, c := range map[string]struct {
		q    codec.Query
		want string
	}{
		"from the start":          {codec.Query{After: &from, Limit: 1}, "1"},
		"over a hole":             {codec.Query{After: &from, Limit: 3}, "!1 5 6"},
		"behind the cursor":       {codec.Query{After: &one, Limit: 2}, "!5 6"},
		"the newest":              {codec.Query{Newest: true, Limit: 2}, "!7 8"},
		"the newest, over a hole": {codec.Query{Newest: true, Limit: 5}, "!1 5 6 7 8"},
		"before one":              {codec.Query{Before: &codec.ID{Epoch: from.Epoch, Offset: 6}, Limit: 2}, "!1 5"},
		"before the oldest":       {codec.Query{Before: &codec.ID{Epoch: from.Epoch, Offset: 1}, Limit: 2}, ""},
		"more than there are":     {codec.Query{After: &one, Limit: 9}, "!5 6 7 8"},
	} {
		want(t, what, read(t, s, "den", c.q), c.want)
	}
}

// TestLimitFindsDamage: a limit counts messages also where the read itself finds the damage.
func TestLimitFindsDamage(t *testing.T) {
	s := open(t, Config{})
	for i := range 5 {
		say(t, s, "den", fmt.Sprint("message", i))
		say(t, s, "hall", strings.Repeat("x", 1000)) // more than fits into the page of the root
	}
	sayFolded(t, s, "den", "last", "")
	inPlace(t, s, func(f *os.File, b []byte) {
		for at := 0; ; at++ {
			i := bytes.Index(b[at:], []byte("message2"))
			if i < 0 {
				break
			}
			at += i
			if _, err := f.WriteAt([]byte("X"), int64(at)); err != nil {
				t.Fatal(err)
			}
		}
	})
	after := codec.ID{Epoch: s.Stats().Epoch, Offset: 2}
	want(t, "page", read(t, s, "den", codec.Query{After: &after, Limit: 1}), "!message3")
	closeStore(t, s)
	open(t, s.cfg) // which mends the file
}
