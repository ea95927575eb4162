package store

import (
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"edgechat/codec"
)

// unzip writes a file of testdata to path.
func unzip(t testing.TB, name, path string) {
	t.Helper()
	zipped, err := os.Open(filepath.Join("testdata", name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer zipped.Close()
	r, err := gzip.NewReader(zipped)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// sayVerified is sayStored of somebody who has a token.
func sayVerified(t testing.TB, s *Store, room, content string) codec.ID {
	t.Helper()
	stored := make(chan codec.Receipt, 1)
	m := codec.Message{Username: "Ann", Verified: true, Content: content, Author: 7}
	if _, err := s.appended(room, m, "", func(r codec.Receipt) { stored <- r }); err != nil {
		t.Fatal(err)
	}
	return (<-stored).ID
}

// TestVerifiedStored: that a name is verified is kept in the log, in the history file and in a backup, of edits and deletions too; and of
// what they change it stays what it was.
func TestVerifiedStored(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db")}
	s := open(t, cfg)
	check := func(when string, s *Store) {
		t.Helper()
		p := readPage(t, s, "den", codec.Query{})
		want(t, when+": messages", len(p.Messages), 6)
		for i, verified := range []bool{true, false, true, true, false, true} {
			if p.Messages[i].Verified != verified {
				t.Errorf("%s: message %d: %+v", when, i, p.Messages[i])
			}
		}
	}
	first := sayVerified(t, s, "den", "by Ann")
	second := sayStored(t, s, "den", "by anybody", "").ID
	third := sayVerified(t, s, "den", "to be deleted")
	revise := func(m codec.Message) {
		t.Helper()
		stored := make(chan codec.Receipt, 1)
		if _, err := s.revised("den", m, codec.Claim{All: true}, "", func(r codec.Receipt) { stored <- r }); err != nil {
			t.Fatal(err)
		}
		<-stored
	}
	revise(codec.Message{Kind: codec.Edit, Username: "Ann", Verified: true, Target: first, Content: "edited"})
	revise(codec.Message{Kind: codec.Edit, Username: "x", Target: second, Content: "edited"})
	revise(codec.Message{Kind: codec.Deletion, Username: "Mod", Verified: true, Target: third})
	check("in memory", s)
	s = crash(t, s, cfg)
	cfg.Path = s.cfg.Path
	check("in the log", s)
	foldNow(t, s)
	check("in the history", s)
	backup := filepath.Join(t.TempDir(), "backup")
	f, err := os.Create(backup)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Backup(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	closeStore(t, s)
	check("after a stop", open(t, cfg))
	restored := Config{Path: filepath.Join(t.TempDir(), "edgechat.db")}
	if _, _, err := Restore(backup, restored.Path); err != nil {
		t.Fatal(err)
	}
	check("in a backup", open(t, restored))
}

// TestUpgradeVerified opens files of the version before: all is there, nobody is verified, and who writes now is.
func TestUpgradeVerified(t *testing.T) {
	for _, name := range []string{"v3", "v3-crashed"} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db")}
			unzip(t, name+".db", cfg.Path)
			unzip(t, name+".db-wal", logPath(cfg.Path))
			s := open(t, cfg)
			want(t, "salvages", s.Stats().Salvages, 0)
			want(t, "lost", s.Stats().Lost, 0)
			want(t, "ready", s.Ready(), nil)
			sayVerified(t, s, "den", "new")
			check := func(when string) {
				t.Helper()
				p := readPage(t, s, "den", codec.Query{})
				want(t, when+": messages", len(p.Messages), 32)
				want(t, when+": an edit of then", p.Messages[4].Content, "edited")
				for i, m := range p.Messages {
					if m.Verified != (i == 31) {
						t.Errorf("%s: message %d: %+v", when, i, m)
					}
				}
			}
			check("opened")
			foldNow(t, s)
			closeStore(t, s)
			s = open(t, cfg)
			check("written")
		})
	}
}
