package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"edgechat/codec"
)

// TestReplacedFile removes the files of a store that is open, or puts those of another store in their
// place: it is noticed with the next commit, and nothing is lost. What was put there is kept aside.
func TestReplacedFile(t *testing.T) {
	for _, what := range []string{"history replaced", "history removed", "log removed", "folder removed"} {
		t.Run(what, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			s := open(t, Config{Path: filepath.Join(dir, "edgechat.db"), RetryDelay: 10 * time.Millisecond})
			for i := range 5 {
				sayStored(t, s, "den", fmt.Sprint(i), fmt.Sprint("key", i))
			}
			foldNow(t, s)
			sayStored(t, s, "den", "5", "")
			switch what {
			case "history replaced":
				other := open(t, Config{})
				sayAll(t, other, "den", 5)
				closeStore(t, other)
				if err := os.Rename(other.cfg.Path, s.cfg.Path); err != nil {
					t.Fatal(err)
				}
			case "history removed":
				if err := os.Remove(s.cfg.Path); err != nil {
					t.Fatal(err)
				}
			case "log removed":
				if err := os.Remove(s.logPath()); err != nil {
					t.Fatal(err)
				}
			case "folder removed":
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
			if r := sayStored(t, s, "den", "6", ""); r.Durable {
				t.Errorf("a message that nobody finds again is durable: %+v", r)
			}
			eventually(t, "it recovers", func() bool { return s.Ready() == nil && s.Stats().Pending == 0 })
			want(t, "lost", s.Stats().Lost, 0)
			want(t, "durable", sayStored(t, s, "den", "7", "").Durable, true)
			const all = "0 1 2 3 4 5 6 7"
			want(t, "messages", read(t, s, "den", codec.Query{}), all)
			if _, err := Open(Config{Path: s.cfg.Path}); !errors.Is(err, ErrLocked) {
				t.Errorf("a second store in the same folder: %v", err)
			}
			next := crash(t, s, Config{})
			want(t, "after a power cut", read(t, next, "den", codec.Query{}), all)
			cfg := s.cfg
			closeStore(t, s)
			s = open(t, cfg)
			want(t, "after a restart", read(t, s, "den", codec.Query{}), all)
			want(t, "key", sayStored(t, s, "den", "0", "key0").ID.Offset, 1)
		})
	}
}

// TestStray loads a file in which numbers were given twice, as a salvage may find
// them on pages that were given up.
func TestStray(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db")}
	s := open(t, cfg)
	epoch := s.Stats().Epoch
	sayAll(t, s, "den", 4)
	closeStore(t, s)
	db, err := bolt.Open(cfg.Path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	stray := codec.Record{Room: "den", Message: codec.Message{ID: codec.ID{Epoch: "other", Offset: 2}, Content: "stray"}}
	err = db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(logBucket).Put(sequenceKey(nil, s.given.Load()+1), codec.AppendRecord(nil, &stray))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	s = open(t, cfg)
	want(t, "salvages", s.Stats().Salvages, 1)
	want(t, "messages", read(t, s, "den", codec.Query{}), "0 1 2 3")
	want(t, "oldest", readPage(t, s, "den", codec.Query{}).Oldest, codec.ID{Epoch: epoch, Offset: 1})
	want(t, "next", say(t, s, "den", "4").Offset, 5)
}
