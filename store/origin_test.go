package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"edgechat/codec"
)

// TestUpgrade opens files that the version before there was a log made: one that was closed in
// order, and one of a power cut.
func TestUpgrade(t *testing.T) {
	for name, clean := range map[string]bool{"v1": true, "v1-crashed": false} {
		t.Run(name, func(t *testing.T) {
			cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 20}
			unzip(t, name+".db", cfg.Path)
			s := open(t, cfg)
			want(t, "salvages", s.Stats().Salvages, 0)
			want(t, "ready", s.Ready(), nil)
			want(t, "warning", s.Warning(), nil)
			check := func(more string) {
				t.Helper()
				for i := range 3 {
					p := readPage(t, s, fmt.Sprint("room", i), codec.Query{})
					if !p.Recovered || len(p.Messages) != 20 {
						t.Fatalf("room%d: %d messages, recovered %t", i, len(p.Messages), p.Recovered)
					}
					for j, m := range p.Messages {
						want(t, "message", m.Content, fmt.Sprint("message ", j+11))
						want(t, "offset", m.ID.Offset, uint64(j+11))
					}
				}
				want(t, "hall", read(t, s, "hall", codec.Query{}), map[bool]string{true: "x", false: "x y"}[clean]+more)
			}
			check("")
			cursor := readPage(t, s, "room1", codec.Query{}).Messages[18].ID
			want(t, "the run of numbers goes on", cursor.Epoch == s.Stats().Epoch, clean)
			want(t, "after a cursor of then", read(t, s, "room1", codec.Query{After: &cursor}), "message 30")
			want(t, "a key of then", sayStored(t, s, "room2", "again", "key29").ID.Offset, 30)
			say(t, s, "hall", "new")
			closeStore(t, s)
			s = open(t, cfg)
			check(" new")
			if aside, _ := filepath.Glob(cfg.Path + ".*"); len(aside) > 0 {
				t.Errorf("put aside: %v", aside)
			}
		})
	}
}

// TestRestored puts copies of a store in its place: ids that were given since are not given
// again, and their cursors prove nothing. Cursors that the copy knows go on.
func TestRestored(t *testing.T) {
	// As in a product, where a file is known by its inode and by when it was changed.
	openReal := func(path string) *Store {
		t.Helper()
		s, err := Open(Config{Path: path, AckDelay: time.Nanosecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	for _, c := range []struct {
		what    string
		live    bool // the copy is made of a store that is open
		whole   bool // nothing is missing after it
		restore func(t *testing.T, backup, path string)
	}{
		{"the history alone, over the file that is there", false, true, func(t *testing.T, backup, path string) { copyFile(t, backup, path) }},
		{"the history alone, the log removed", false, false, func(t *testing.T, backup, path string) {
			copyFile(t, backup, path)
			_ = os.Remove(logPath(path))
		}},
		{"both, in new files", false, false, func(t *testing.T, backup, path string) {
			_, _ = os.Remove(path), os.Remove(logPath(path))
			copyStore(t, backup, path)
		}},
		{"both, of a store that was open, in new files", true, false, func(t *testing.T, backup, path string) {
			_, _ = os.Remove(path), os.Remove(logPath(path))
			copyStore(t, backup, path)
		}},
		{"the log alone", false, true, func(t *testing.T, backup, path string) { copyFile(t, logPath(backup), logPath(path)) }},
	} {
		t.Run(c.what, func(t *testing.T) {
			path, backup := filepath.Join(t.TempDir(), "edgechat.db"), filepath.Join(t.TempDir(), "backup.db")
			s := openReal(path)
			given := map[codec.ID]string{}
			for i := range 5 {
				r := sayStored(t, s, "den", fmt.Sprint(i), "")
				given[r.ID] = fmt.Sprint(i)
			}
			foldNow(t, s)
			known := sayStored(t, s, "den", "5", "").ID
			given[known] = "5"
			if !c.live {
				closeStore(t, s)
			}
			copyStore(t, path, backup)
			if !c.live {
				s = openReal(path)
			}
			var since codec.ID
			for i := range 3 {
				since = sayStored(t, s, "den", fmt.Sprint("since", i), "").ID
				given[since] = fmt.Sprint("since", i)
			}
			closeStore(t, s)
			c.restore(t, backup, path)

			s = openReal(path)
			for i := range 5 {
				id := sayStored(t, s, "den", fmt.Sprint("new", i), "").ID
				if was, ok := given[id]; ok {
					t.Fatalf("%s was given to %q before", id, was)
				}
			}
			if c.whole { // one file has what the other lacks
				want(t, "after a cursor", read(t, s, "den", codec.Query{After: &since}), "new0 new1 new2 new3 new4")
				return
			}
			if p := readPage(t, s, "den", codec.Query{After: &since}); p.Recovered {
				t.Errorf("a cursor that the copy does not know is recovered, with %d messages", len(p.Messages))
			}
			want(t, "after a cursor that it knows", read(t, s, "den", codec.Query{After: &known}), "new0 new1 new2 new3 new4")
			closeStore(t, s)
			s = openReal(path) // which is the same now, and goes on
			id := say(t, s, "den", "again")
			want(t, "epoch of the next start", id.Epoch, s.Head("den").Epoch)
			want(t, "offset", id.Offset, known.Offset+6)
			if p := readPage(t, s, "den", codec.Query{After: &since}); p.Recovered {
				t.Error("a cursor that the copy does not know is recovered after another start")
			}
		})
	}
	t.Run("not restored", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "edgechat.db")
		s := openReal(path)
		id := sayStored(t, s, "den", "x", "").ID
		closeStore(t, s)
		s = openReal(path)
		want(t, "epoch", say(t, s, "den", "y").Epoch, id.Epoch)
	})
}

// TestTouched: a file whose contents were put back in place has the same inode, and is told by its time of change.
func TestTouched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want(t, "written just now", touchedSince(f, time.Now()), false)
	want(t, "written long before it was changed", touchedSince(f, time.Now().Add(-2*touchedAfter)), true)
}

// TestNewer: a file of a later version is refused, and left as it is.
func TestNewer(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db")}
	s := open(t, cfg)
	sayStored(t, s, "den", "x", "")
	closeStore(t, s)
	db, err := bolt.Open(cfg.Path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b := bytes.Clone(tx.Bucket(metaBucket).Get(stateKey))
		b = b[:len(b)-4]
		b[0] = formatVersion + 1
		return tx.Bucket(metaBucket).Put(stateKey, appendChecksum(b, 0))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(cfg.Path)
	for range 2 {
		_, err = Open(cfg)
		if !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), "install that version again") {
			t.Errorf("open a file of a later version: %v", err)
		}
	}
	after, _ := os.ReadFile(cfg.Path)
	if !bytes.Equal(before, after) {
		t.Error("it was changed")
	}
	if aside, _ := filepath.Glob(cfg.Path + ".*"); len(aside) > 0 {
		t.Errorf("put aside: %v", aside)
	}
	// The check of open would find it wrong.
	_ = os.Remove(cfg.Path)
}

// TestLink: a store that is named by a link stays where it is, also if it has to be made anew.
func TestLink(t *testing.T) {
	target, link := filepath.Join(t.TempDir(), "target.db"), filepath.Join(t.TempDir(), "edgechat.db")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Path: link})
	sayFolded(t, s, "den", "x", "")
	closeStore(t, s)
	if err := os.WriteFile(target, bytes.Repeat([]byte("damaged\n"), 10_000), 0o600); err != nil {
		t.Fatal(err)
	}
	s = open(t, Config{Path: link})
	want(t, "salvages", s.Stats().Salvages, 1)
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link: %v, %v", info, err)
	}
	want(t, "path", s.cfg.Path, target)
}

// TestEmptied: a file without a byte where messages were is said, and cursors prove nothing.
func TestEmptied(t *testing.T) {
	var log strings.Builder
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), Logger: slog.New(slog.NewTextHandler(&log, nil))}
	s := open(t, cfg)
	id := sayFolded(t, s, "den", "x", "").ID
	say(t, s, "den", "y")
	closeStore(t, s)
	if err := os.Truncate(cfg.Path, 0); err != nil {
		t.Fatal(err)
	}
	s = open(t, cfg)
	if !strings.Contains(log.String(), "the history is empty, and its log is not") {
		t.Errorf("log: %s", log.String())
	}
	want(t, "what the log has", read(t, s, "den", codec.Query{}), "x y")
	want(t, "recovered", readPage(t, s, "den", codec.Query{After: &id}).Recovered, false)
}
