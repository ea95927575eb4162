package store

import (
	"errors"
	"testing"

	"edgechat/codec"
)

// TestOrphanDeleted: a message left the buffer and an edit of it did not: who may delete all takes away what that says, from
// both files, and nobody else does; a restart changes nothing of it.
func TestOrphanDeleted(t *testing.T) {
	t.Parallel()
	cfg := Config{History: 3}
	s := open(t, cfg)
	id := sayStored(t, s, "den", "first words", "").ID
	sayStored(t, s, "den", "between", "")
	reviseStored(t, s, "den", codec.Edit, id, "secret words")
	sayStored(t, s, "den", "behind", "") // displaces the first
	foldNow(t, s)
	for _, m := range []codec.Message{
		{Kind: codec.Edit, Target: id, Content: "more"},
		{Kind: codec.Deletion, Target: codec.ID{Epoch: id.Epoch, Offset: 2000}},
	} {
		if _, err := s.revised("den", m, codec.Claim{All: true}, "", nil); !errors.Is(err, codec.ErrNoTarget) {
			t.Errorf("%+v: %v", m, err)
		}
	}
	if _, err := s.revised("den", codec.Message{Kind: codec.Deletion, Target: id}, codec.Claim{Authors: [2]uint64{1}}, "", nil); !errors.Is(err, codec.ErrNoTarget) {
		t.Errorf("by somebody: %v", err)
	}
	reviseStored(t, s, "den", codec.Deletion, id, "")
	look := func() {
		t.Helper()
		p := readPage(t, s, "den", codec.Query{})
		if len(p.Messages) != 3 || p.Messages[0].Kind != codec.Edit || p.Messages[0].Content != "" || !p.Messages[0].Deleted || p.Messages[2].Kind != codec.Deletion {
			t.Fatalf("the room has %+v", p.Messages)
		}
		if _, err := s.revised("den", codec.Message{Kind: codec.Deletion, Target: id}, codec.Claim{All: true}, "", nil); !errors.Is(err, codec.ErrNoTarget) {
			t.Errorf("deleted again: %v", err)
		}
	}
	look()
	foldNow(t, s)
	nowhere(t, s, []string{"secret words"})
	cfg.Path = s.cfg.Path
	closeStore(t, s)
	s = open(t, cfg)
	defer closeStore(t, s)
	look()
}
