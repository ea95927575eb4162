package store

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"edgechat/codec"
)

// TestReadBackup: all messages in the order of their rooms, and no damage passes for an end.
func TestReadBackup(t *testing.T) {
	s, err := Open(Config{Path: filepath.Join(t.TempDir(), "edgechat.db")})
	if err != nil {
		t.Fatal(err)
	}
	s.Deliver(func(string, *codec.Message) {})
	want := map[string][]string{}
	for i := range 200 {
		room := fmt.Sprintf("r%d", i%3)
		id, err := s.Append(room, codec.Message{Username: "ann", Content: fmt.Sprint(i)}, fmt.Sprintf("k%d", i), nil)
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
	n, err := ReadBackup(bytes.NewReader(b.Bytes()), func(r *codec.Record) error {
		have[r.Room] = append(have[r.Room], fmt.Sprintf("%s %s %s", r.Message.ID, r.Message.Content, r.Key))
		return nil
	})
	if err != nil || n != 200 || fmt.Sprint(have) != fmt.Sprint(want) {
		t.Errorf("%d, %v\n%v\nnot\n%v", n, err, have, want)
	}
	enough := errors.New("enough")
	if _, err := ReadBackup(bytes.NewReader(b.Bytes()), func(*codec.Record) error { return enough }); !errors.Is(err, enough) || errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
	for cut := 0; cut < b.Len(); cut += 97 {
		if _, err := ReadBackup(bytes.NewReader(b.Bytes()[:cut]), func(*codec.Record) error { return nil }); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut after %d bytes: %v", cut, err)
		}
		damaged := bytes.Clone(b.Bytes())
		damaged[cut] ^= 0x10
		if _, err := ReadBackup(bytes.NewReader(damaged), func(*codec.Record) error { return nil }); err == nil {
			t.Errorf("byte %d damaged: it passed", cut)
		}
	}
}

// TestReadBackupRevised: an edited message says what it says since, also in a store that it was imported into.
func TestReadBackupRevised(t *testing.T) {
	s := open(t, Config{})
	id := sayStored(t, s, "den", "old", "").ID
	gone := sayStored(t, s, "den", "gone", "").ID
	revise := func(kind codec.Kind, target codec.ID, content string) {
		t.Helper()
		m := codec.Message{Kind: kind, Target: target, Username: "alice", Content: content}
		if _, err := s.Revise("den", m, codec.Claim{All: true}, "", nil); err != nil {
			t.Fatal(err)
		}
	}
	revise(codec.Edit, id, "new")
	revise(codec.Edit, id, "newest")
	revise(codec.Deletion, gone, "")
	closeStore(t, s)
	all := exportOf(t, s.cfg.Path)
	if len(all) != 2 || all[0].Message.Content != "newest" || all[0].Superseded || all[1].Message.Content != "" {
		t.Fatalf("%+v", all)
	}
	path := filepath.Join(t.TempDir(), "edgechat.db")
	importInto(t, path, all, 2, 0)
	want(t, "imported", fmt.Sprint(exportOf(t, path)), fmt.Sprint(all))
}
