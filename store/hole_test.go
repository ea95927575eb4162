package store

import (
	"errors"
	"fmt"
	"path/filepath"
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

// behind makes a store with the message "1" in the history of the room den, behind one of the room hall: it is not
// removed from there while that is in the buffer.
func behind(t *testing.T, history int) *Store {
	s := open(t, Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: history})
	sayFolded(t, s, "hall", "old", "")
	sayFolded(t, s, "den", "1", "")
	return s
}

// TestPassedOverStaysAway: a message that left the buffer and is still in the history does not come back where a newer one was
// never written, with a hole behind it.
func TestPassedOverStaysAway(t *testing.T) {
	for _, crashed := range []bool{false, true} {
		s := behind(t, 2)
		say(t, s, "den", "2")
		say(t, s, "den", "3")
		sayStored(t, s, "den", "4", "")
		want(t, "not written", s.Stats().Unwritten, 1)
		if crashed {
			s = crash(t, s, Config{History: 10})
			foldNow(t, s)
		}
		closeStore(t, s)
		s = open(t, Config{Path: s.cfg.Path, History: 10})
		want(t, "there", read(t, s, "den", codec.Query{}), "3 4")
		want(t, "whole", readPage(t, s, "den", codec.Query{}).Recovered, true)
	}
}

// TestDeleteLost: whoever deletes a message that a power cut lost does not delete what has its offset now, of which the edit
// alone is in the buffer.
func TestDeleteLost(t *testing.T) {
	s := behind(t, 3)
	lost, err := s.appended("den", codec.Message{Content: "lost"}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	s = crash(t, s, Config{History: 3})
	said := sayStored(t, s, "den", "said", "").ID
	want(t, "offset", said.Offset, lost.Offset)
	if _, err := s.revised("den", codec.Message{Kind: codec.Edit, Target: said, Content: "edited"}, codec.Claim{All: true}, "", nil); err != nil {
		t.Fatal(err)
	}
	say(t, s, "den", "4")
	say(t, s, "den", "5")
	for target, wanted := range map[codec.ID]error{lost: codec.ErrNoTarget, said: nil} {
		_, err := s.revised("den", codec.Message{Kind: codec.Deletion, Target: target}, codec.Claim{All: true}, "", nil)
		if !errors.Is(err, wanted) {
			t.Errorf("deletion of %s: %v, want %v", target, err, wanted)
		}
	}
}

// TestErasedAfterCut: what a deletion took away leaves the disk, also where a start takes its message out of the buffer before it
// finds the deletion.
func TestErasedAfterCut(t *testing.T) {
	s := behind(t, 3)
	target := readPage(t, s, "den", codec.Query{}).Messages[0].ID
	secret := "[the secret that was edited]"
	edit := codec.Message{Kind: codec.Edit, Target: target, Content: secret}
	if _, err := s.revised("den", edit, codec.Claim{All: true}, "", nil); err != nil {
		t.Fatal(err)
	}
	sayStored(t, s, "den", "3", "")
	foldNow(t, s)
	say(t, s, "den", "4")
	if _, err := s.revised("den", codec.Message{Kind: codec.Deletion, Target: target}, codec.Claim{All: true}, "", nil); err != nil {
		t.Fatal(err)
	}
	say(t, s, "den", "6")
	sayStored(t, s, "den", "7", "")
	want(t, "not written", s.Stats().Unwritten, 1)

	s = crash(t, s, Config{History: 3})
	foldNow(t, s)
	eventually(t, "the log is erased", func() bool { return !s.Stats().Unerased })
	nowhere(t, s, []string{secret})
}
