package store

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"edgechat/codec"
)

// exportOf returns a backup of a store, and its messages, as an export has them.
func exportOf(t *testing.T, path string) (raw []byte, list []codec.Record) {
	t.Helper()
	var b bytes.Buffer
	if _, err := BackupTo(path, t.TempDir(), &b); err != nil {
		t.Fatal(err)
	}
	raw = bytes.Clone(b.Bytes())
	if _, err := ReadBackup(&b, func(room []codec.Record) error {
		list = append(list, room...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return raw, list
}

// withoutAuthors returns records as they are in a store that they were imported into.
func withoutAuthors(list []codec.Record) []codec.Record {
	list = slices.Clone(list)
	for i := range list {
		list[i].Message.Author = 0
	}
	return list
}

func importInto(t *testing.T, path string, list []codec.Record, placed, present int) ImportReport {
	t.Helper()
	r, err := Import(path, list)
	if err != nil {
		t.Fatal(err)
	}
	if r.Placed != placed || r.Present != present {
		t.Fatalf("%d placed, %d present, unplaced %v; want %d and %d", r.Placed, r.Present, r.Unplaced, placed, present)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	return r
}

func message(room, epoch string, offset uint64, content string) codec.Record {
	return codec.Record{Room: room, Message: codec.Message{ID: codec.ID{Epoch: epoch, Offset: offset}, Username: "ann", Content: content, Time: 1}}
}

// TestImportIntoNothing: all IDs stay, cursors of then go on working, keys are remembered, and new messages have new IDs.
func TestImportIntoNothing(t *testing.T) {
	s := open(t, Config{})
	first := sayStored(t, s, "den", "a", "k").ID
	sayStored(t, s, "den", "b", "")
	sayStored(t, s, "attic", "z", "")
	path := s.cfg.Path
	if _, err := Import(path, []codec.Record{message("den", "x", 1, "no")}); !errors.Is(err, ErrLocked) {
		t.Errorf("into a store that is open: %v", err)
	}
	closeStore(t, s)
	_, all := exportOf(t, path)
	for what, into := range map[string]func() string{
		"missing": func() string { return filepath.Join(t.TempDir(), "new", "edgechat.db") },
		"empty": func() string {
			s := open(t, Config{})
			closeStore(t, s)
			return s.cfg.Path
		},
	} {
		to := into()
		if r := importInto(t, to, all, 3, 0); (r.Aside == "") != (what == "missing") {
			t.Errorf("%s: aside %q", what, r.Aside)
		}
		if _, got := exportOf(t, to); fmt.Sprint(got) != fmt.Sprint(all) {
			t.Errorf("%s:\n%v\nnot\n%v", what, got, all)
		}
		if r := importInto(t, to, all, 0, 3); r.Aside != "" {
			t.Errorf("%s: it was written again: %s", what, r.Aside)
		}
		r := open(t, Config{Path: to})
		want(t, "after a cursor of then", read(t, r, "den", codec.Query{After: &first}), "b")
		want(t, "a cursor above", readPage(t, r, "den", codec.Query{After: &codec.ID{Epoch: first.Epoch, Offset: 9}}).Recovered, false)
		want(t, "a cursor of a room that is not there", readPage(t, r, "cellar", codec.Query{After: &first}).Recovered, false)
		want(t, "a key", sayStored(t, r, "den", "a", "k").ID, first)
		if id := say(t, r, "den", "c"); id.Offset != 3 || id.Epoch == first.Epoch {
			t.Errorf("%s: new message %s", what, id)
		}
		closeStore(t, r)
	}
}

// TestImportIntoUsed: what is there stays, gaps are filled, a room of elsewhere comes whole, and the rest is refused.
func TestImportIntoUsed(t *testing.T) {
	s := open(t, Config{})
	old := sayStored(t, s, "den", "a", "").ID
	sayStored(t, s, "den", "b", "")
	closeStore(t, s)
	path := s.cfg.Path
	e := old.Epoch
	r := importInto(t, path, []codec.Record{
		message("den", e, 2, "changed"), // there
		message("den", e, 7, "g"),       // after a hole
		message("den", e, 5, "e"),
		message("den", "other", 1, "x"), // taken
		message("den", "other", 9, "y"), // of another epoch
		message("far", "other", 4, "two"),
		message("far", "other", 3, "one"),
		message("far", "other", 3, "one again"),
		message("far", "third", 4, "taken"),
		message("far", "third", 5, "three"),
		message("far", "other", 6, "back"),
	}, 5, 0)
	want(t, "unplaced", fmt.Sprint(r.Unplaced), fmt.Sprint(map[Unplaced][]int{UnplacedDiffers: {0, 7}, UnplacedTaken: {3, 8}, UnplacedEpoch: {4, 10}}))
	n := open(t, Config{Path: path})
	want(t, "den", read(t, n, "den", codec.Query{}), "!a b e g") // with holes
	want(t, "far", read(t, n, "far", codec.Query{}), "one two three")
	want(t, "a cursor of a foreign epoch", readPage(t, n, "far", codec.Query{After: &codec.ID{Epoch: "other", Offset: 3}}).Recovered, false)
	want(t, "a cursor of the store", readPage(t, n, "den", codec.Query{After: &codec.ID{Epoch: e, Offset: 7}}).Recovered, true)
	for range 3 {
		sayStored(t, n, "den", "new", "")
	}
	closeStore(t, n)

	// What left the buffer does not come back.
	n = open(t, Config{Path: path, History: 2})
	want(t, "kept", read(t, n, "den", codec.Query{}), "new new")
	foldNow(t, n)
	closeStore(t, n)
	r = importInto(t, path, []codec.Record{message("den", e, 1, "a"), message("far", "third", 5, "three")}, 0, 1)
	want(t, "unplaced", fmt.Sprint(r.Unplaced), fmt.Sprint(map[Unplaced][]int{UnplacedOld: {0}}))
}

// TestImportContradiction: rooms that tell of different orders of two epochs are taken, and cursors prove nothing.
func TestImportContradiction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edgechat.db")
	importInto(t, path, []codec.Record{message("a", "x", 1, "1"), message("a", "y", 2, "2"), message("b", "y", 1, "1"), message("b", "x", 2, "2")}, 4, 0)
	s := open(t, Config{Path: path})
	want(t, "b", read(t, s, "b", codec.Query{}), "1 2")
	want(t, "recovered", readPage(t, s, "b", codec.Query{After: &codec.ID{Epoch: "x", Offset: 2}}).Recovered, false)
}

// TestImportMeanwhile: a store that was written to since it was read is not replaced.
func TestImportMeanwhile(t *testing.T) {
	s := open(t, Config{})
	sayStored(t, s, "den", "a", "")
	path := s.cfg.Path
	closeStore(t, s)
	backup := filepath.Join(t.TempDir(), "backup")
	if _, err := BackupFile(path, backup); err != nil {
		t.Fatal(err)
	}
	before, found := fileBytes(t, filepath.Dir(path)), looks(path)
	if _, _, err := replace(backup, path, func(Report) error { return nil }, func() error { return ErrLocked }, false); !errors.Is(err, ErrLocked) {
		t.Errorf("%v", err)
	}
	sameFiles(t, "refused", before, fileBytes(t, filepath.Dir(path)))
	s = open(t, Config{Path: path})
	sayStored(t, s, "den", "b", "")
	closeStore(t, s)
	if looks(path) == found {
		t.Error("a store that was written to looks the same")
	}
}
