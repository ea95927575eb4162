package store

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edgechat/codec"
)

// TestReadBackup: all messages in the order of their rooms, and no damage passes for an end.
func TestReadBackup(t *testing.T) {
	s, err := Open(Config{Path: filepath.Join(t.TempDir(), "edgechat.db")})
	if err != nil {
		t.Fatal(err)
	}
	s.Deliver(func(string, *codec.Message) {}, nil)
	want := map[string][]string{}
	for i := range 200 {
		room := fmt.Sprintf("r%d", i%20)
		id, err := s.appended(room, codec.Message{Username: "ann", Content: fmt.Sprint(i)}, fmt.Sprintf("k%d", i), nil)
		if err != nil {
			t.Fatal(err)
		}
		want[room] = append(want[room], fmt.Sprintf("%s %d k%d", id, i, i))
	}
	var b bytes.Buffer
	if err := errors.Join(s.Backup(&b), s.Close()); err != nil {
		t.Fatal(err)
	}
	have := map[string][]string{}
	var rooms []string
	n, err := ReadBackup(bytes.NewReader(b.Bytes()), func(list []codec.Record) error {
		rooms = append(rooms, list[0].Room)
		for _, r := range list {
			have[r.Room] = append(have[r.Room], fmt.Sprintf("%s %s %s", r.Message.ID, r.Message.Content, r.Key))
		}
		return nil
	})
	if err != nil || n != 200 || fmt.Sprint(have) != fmt.Sprint(want) {
		t.Errorf("%d, %v\n%v\nnot\n%v", n, err, have, want)
	}
	if !slices.IsSorted(rooms) || len(rooms) != 20 {
		t.Errorf("rooms in the order %v", rooms)
	}
	enough := errors.New("enough")
	if _, err := ReadBackup(bytes.NewReader(b.Bytes()), func([]codec.Record) error { return enough }); !errors.Is(err, enough) || errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
	for cut := 0; cut < b.Len(); cut += 97 {
		if _, err := ReadBackup(bytes.NewReader(b.Bytes()[:cut]), func([]codec.Record) error { return nil }); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut after %d bytes: %v", cut, err)
		}
		damaged := bytes.Clone(b.Bytes())
		damaged[cut] ^= 0x10
		if _, err := ReadBackup(bytes.NewReader(damaged), func([]codec.Record) error { return nil }); err == nil {
			t.Errorf("byte %d damaged: it passed", cut)
		}
	}
}

// TestReadBackupRevised: an edited message says what it says since, of a deleted one there is no word, who did it and when
// is told, and all of it is the same from a store that it was imported into.
func TestReadBackupRevised(t *testing.T) {
	s := open(t, Config{})
	id := sayStored(t, s, "den", "what was said", "").ID
	gone := sayStored(t, s, "den", "what is gone", "key").ID
	for i, m := range []codec.Message{
		{Kind: codec.Edit, Target: id, Username: "alice", Content: "what was edited"},
		{Kind: codec.Edit, Target: id, Username: "ann", Content: "newest"},
		{Kind: codec.Edit, Target: gone, Username: "alice", Content: "what is going"},
		{Kind: codec.Deletion, Target: gone, Username: "mod"},
	} {
		m.Time = int64(100 + i)
		if _, err := s.revised("den", m, codec.Claim{All: true}, "", nil); err != nil {
			t.Fatal(err)
		}
	}
	sayStored(t, s, "attic", "more", "")
	closeStore(t, s)
	raw, all := exportOf(t, s.cfg.Path)
	for _, word := range []string{"what was", "what is"} {
		if bytes.Contains(raw, []byte(word)) {
			t.Errorf("the backup has %q", word)
		}
	}
	line := func(r codec.Record) string {
		m := r.Message
		return fmt.Sprintf("%s/%d kind %d of %d, %s at %d: %q, edited %t, deleted %t, key %q", r.Room, m.ID.Offset, m.Kind, m.Target.Offset, m.Username, m.Time, m.Content, m.Edited, m.Deleted, r.Key)
	}
	var lines []string
	for _, r := range all {
		lines = append(lines, line(r))
	}
	want(t, "export", strings.Join(lines, "\n"), strings.Join([]string{
		`attic/1 kind 0 of 0, alice at 1: "more", edited false, deleted false, key ""`,
		`den/1 kind 0 of 0, alice at 1: "newest", edited true, deleted false, key ""`,
		`den/2 kind 0 of 0, alice at 1: "", edited false, deleted true, key "key"`,
		`den/3 kind 1 of 1, alice at 100: "newest", edited false, deleted false, key ""`,
		`den/4 kind 1 of 1, ann at 101: "newest", edited false, deleted false, key ""`,
		`den/5 kind 1 of 2, alice at 102: "", edited false, deleted true, key ""`,
		`den/6 kind 2 of 2, mod at 103: "", edited false, deleted false, key ""`,
	}, "\n"))
	path := filepath.Join(t.TempDir(), "edgechat.db")
	importInto(t, path, all, 7, 0)
	_, again := exportOf(t, path)
	want(t, "imported", fmt.Sprint(again), fmt.Sprint(withoutAuthors(all)))
	importInto(t, path, all, 0, 7)
	r := open(t, Config{Path: path})
	page := readPage(t, r, "den", codec.Query{}).Messages
	if m := page[0]; !m.Edited || m.Content != "newest" {
		t.Errorf("%+v", m)
	}
	if m := page[1]; !m.Deleted || m.Content != "" {
		t.Errorf("%+v", m)
	}
}
