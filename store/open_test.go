package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"edgechat/codec"
)

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ what, path, want string }{
		{"a file in place of the folder", filepath.Join(file, "edgechat.db"), "a file stands where a folder is needed"},
		{"a folder in place of the file", dir, "a file stands where a folder is needed, or the reverse"},
	} {
		_, err := Open(Config{Path: c.path})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: %v, want %q", c.what, err, c.want)
		}
	}
	if os.Geteuid() != 0 {
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(dir, 0o700)
		_, err := Open(Config{Path: filepath.Join(dir, "edgechat.db")})
		if err == nil || !strings.Contains(err.Error(), "must be allowed to write") {
			t.Errorf("no permission: %v", err)
		}
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	_, err := Open(Config{Path: s.cfg.Path})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), s.cfg.Path) {
		t.Errorf("open twice: %v", err)
	}
	if runtime.GOOS == "linux" && !strings.Contains(err.Error(), fmt.Sprintf(": process %d", os.Getpid())) {
		t.Errorf("who holds it: %v", err)
	}
	want(t, "durable", sayStored(t, s, "den", "x", "").Durable, true)
}

// TestEpochs crashes again and again, each time with messages that were
// delivered and lost, and keeps cursors from all the runs.
func TestEpochs(t *testing.T) {
	t.Parallel()
	cfg := Config{}
	s := open(t, cfg)
	type witness struct {
		room   string
		cursor codec.ID
		seen   string // the last that he has seen and that survived
	}
	var witnesses []witness
	all := map[string]string{"den": "", "hall": ""} // what survived
	for run := range 6 {
		for _, room := range []string{"den", "hall", "attic"} {
			witnesses = append(witnesses, witness{room, s.Head(room), all[room]}) // before anything is said
			if room == "attic" || room == "hall" && run%2 == 0 {
				continue // nothing is said there
			}
			content := fmt.Sprint(room, run)
			id := sayStored(t, s, room, content, "").ID
			all[room] = strings.TrimSpace(all[room] + " " + content)
			witnesses = append(witnesses, witness{room, id, all[room]})
		}
		next := crash(t, s, cfg)
		for range run + 1 { // are delivered, and never get to the copy
			for _, room := range []string{"den", "hall", "attic"} {
				id := say(t, s, room, "lost")
				witnesses = append(witnesses, witness{room, id, all[room]})
			}
		}
		closeStore(t, s)
		// No sequence of a run that was cut short is used again.
		if e := next.epochs.Load().now(); next.given.Load() != e.n<<epochShift || s.given.Load() >= next.given.Load() {
			t.Errorf("run %d: sequences go on at %d, epoch %d, after %d", run, next.given.Load(), e.n, s.given.Load())
		}
		s = next
		for _, h := range witnesses {
			left := strings.TrimSpace(strings.TrimPrefix(all[h.room], h.seen))
			want(t, fmt.Sprintf("run %d: %s after %s", run, h.room, h.cursor), read(t, s, h.room, codec.Query{After: &h.cursor}), left)
		}
	}
	// A close in order between: nothing changes.
	epoch := s.Stats().Epoch
	cfg.Path = s.cfg.Path
	closeStore(t, s)
	s = open(t, cfg)
	want(t, "epoch", s.Stats().Epoch, epoch)
	for _, h := range witnesses {
		left := strings.TrimSpace(strings.TrimPrefix(all[h.room], h.seen))
		want(t, fmt.Sprintf("at last: %s after %s", h.room, h.cursor), read(t, s, h.room, codec.Query{After: &h.cursor}), left)
	}
}

// TestEpochsForgotten crashes more often than epochs are remembered.
func TestEpochsForgotten(t *testing.T) {
	t.Parallel()
	cfg := Config{History: maxEpochs + 2}
	s := open(t, cfg)
	var ids []codec.ID
	for run := range maxEpochs + 6 {
		if run > 0 {
			next := crash(t, s, cfg)
			closeStore(t, s)
			s = next
		}
		ids = append(ids, sayStored(t, s, "den", fmt.Sprint(run), "").ID)
	}
	want(t, "epochs", len(*s.epochs.Load()), maxEpochs)
	// 0 to 3 have left the buffer, 4 and 5 are of epochs that are forgotten.
	want(t, "a forgotten cursor", strings.HasPrefix(read(t, s, "den", codec.Query{After: &ids[4]}), "!4 5 6 "), true)
	want(t, "a known one", strings.HasPrefix(read(t, s, "den", codec.Query{After: &ids[6]}), "7 8 "), true)
	p := readPage(t, s, "den", codec.Query{})
	for i, m := range p.Messages {
		want(t, "id", m.ID, ids[i+4])
	}
	want(t, "oldest", p.Oldest, ids[4])
	want(t, "before it", read(t, s, "den", codec.Query{Before: &ids[4]}), "")
	want(t, "before one of a forgotten epoch", read(t, s, "den", codec.Query{Before: &ids[5]}), "4")
	want(t, "starts", len(s.rooms["den"].starts), maxEpochs+2)
}

// TestStartsInOrder: messages that the file has and the buffer has not, of epochs that are
// forgotten, add nothing to what a room knows of epochs.
func TestStartsInOrder(t *testing.T) {
	r := &room{starts: []start{{n: 7, first: 6, name: "g"}, {n: 8, first: 7, name: "h"}}, head: 3}
	for _, e := range []epoch{{name: "d"}, {name: "e"}, {n: 7, name: "g"}, {n: 8, name: "h"}, {n: 8, name: "h"}, {n: 9, name: "i"}} {
		r.add(e, 1, &codec.Message{}, 1)
	}
	want(t, "starts", fmt.Sprint(r.starts), "[{7 6 g} {8 7 h} {9 9 i}]")
}
