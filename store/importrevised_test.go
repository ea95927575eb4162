package store

import (
	"fmt"
	"path/filepath"
	"testing"

	"edgechat/codec"
)

// revisionOf is a revision as an export has it.
func revisionOf(room, epoch string, offset uint64, kind codec.Kind, target uint64, content string) codec.Record {
	r := message(room, epoch, offset, content)
	r.Message.Kind, r.Message.Target = kind, codec.ID{Epoch: epoch, Offset: target}
	return r
}

func edited(r codec.Record) codec.Record {
	r.Message.Edited = true
	return r
}

func deleted(r codec.Record) codec.Record {
	r.Message.Deleted, r.Message.Content = true, ""
	return r
}

// TestImportRevised: an export of before a message was edited or deleted brings nothing back, and one of after brings
// the revisions.
func TestImportRevised(t *testing.T) {
	s := open(t, Config{})
	changed := sayStored(t, s, "den", "first", "").ID
	secret := sayStored(t, s, "den", "secret", "").ID
	path := s.cfg.Path
	closeStore(t, s)
	_, before := exportOf(t, path)
	s = open(t, Config{Path: path})
	for _, m := range []codec.Message{
		{Kind: codec.Edit, Target: changed, Username: "alice", Content: "second"},
		{Kind: codec.Deletion, Target: secret, Username: "alice"},
	} {
		if _, err := s.revised("den", m, codec.Claim{All: true}, "", nil); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	_, after := exportOf(t, path)

	importInto(t, path, append(before, message("attic", "x", 1, "more")), 1, 2)
	_, all := exportOf(t, path)
	want(t, "den", fmt.Sprint(all[1:]), fmt.Sprint(after))

	old := filepath.Join(t.TempDir(), "edgechat.db")
	importInto(t, old, before, 2, 0)
	importInto(t, old, after, 2, 2) // the revisions
	_, all = exportOf(t, old)
	want(t, "revised", fmt.Sprint(all), fmt.Sprint(withoutAuthors(after)))

	// A room that comes whole, and its revisions not in order.
	elsewhere := filepath.Join(t.TempDir(), "edgechat.db")
	importInto(t, elsewhere, []codec.Record{after[3], after[1], after[2], after[0]}, 4, 0)
	_, all = exportOf(t, elsewhere)
	want(t, "not in order", fmt.Sprint(all), fmt.Sprint(withoutAuthors(after)))
}

// TestImportRevisedWrongly: a revision that cannot be one leaves what it names as it is, and a mark alone is not taken.
func TestImportRevisedWrongly(t *testing.T) {
	s := open(t, Config{})
	id := sayStored(t, s, "den", "one", "").ID
	e := id.Epoch
	gone := sayStored(t, s, "den", "two", "").ID
	sayStored(t, s, "den", "three", "")
	if _, err := s.revised("den", codec.Message{Kind: codec.Deletion, Target: gone, Username: "alice"}, codec.Claim{All: true}, "", nil); err != nil {
		t.Fatal(err)
	}
	path := s.cfg.Path
	closeStore(t, s)
	other := revisionOf("den", e, 10, codec.Edit, 1, "of another epoch")
	other.Message.Target.Epoch = "other"
	r := importInto(t, path, []codec.Record{
		other,
		revisionOf("den", e, 11, codec.Edit, 4, "of a deletion"),
		revisionOf("den", e, 12, codec.Edit, 12, "of itself"),
		revisionOf("den", e, 13, codec.Edit, 2, "of what was deleted"),
		edited(message("den", e, 14, "by nobody")),
		deleted(message("den", e, 15, "")),
		deleted(revisionOf("den", e, 16, codec.Edit, 3, "")), // says that 3 was deleted, and by what is not there
		revisionOf("den", e, 17, codec.Edit, 1, "ho"),
		revisionOf("den", e, 18, codec.Deletion, 9, ""), // of what is lost
		revisionOf("far", "x", 5, codec.Edit, 2, "of what is too old"),
		deleted(message("gone", "x", 1, "")),
	}, 3, 0)
	want(t, "unplaced", fmt.Sprint(r.Unplaced), fmt.Sprint(map[Unplaced][]int{UnplacedTarget: {0, 1, 2}, UnplacedRevised: {3}, UnplacedMarked: {4, 5, 6, 10}}))
	n := open(t, Config{Path: path})
	page := readPage(t, n, "den", codec.Query{}).Messages
	want(t, "one", fmt.Sprintf("%s %t", page[0].Content, page[0].Edited), "ho true")
	want(t, "two", fmt.Sprintf("%s %t", page[1].Content, page[1].Deleted), " true")
	want(t, "three", fmt.Sprintf("%s %t %t", page[2].Content, page[2].Edited, page[2].Deleted), "three false false")
	want(t, "far", read(t, n, "far", codec.Query{}), "of what is too old")
	want(t, "gone", read(t, n, "gone", codec.Query{}), "")
	closeStore(t, n)
	importInto(t, path, []codec.Record{message("gone", "y", 1, "later")}, 1, 0) // nothing was made of the room
}
