package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgechat/codec"
)

// inPlace changes the file of a store that is open.
func inPlace(t testing.TB, s *Store, change func(f *os.File, b []byte)) {
	t.Helper()
	b, err := os.ReadFile(s.cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(s.cfg.Path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	change(f, b)
}

// TestDamageAtWork spoils a message of a store that is open: it becomes a
// hole that is never passed over in silence.
func TestDamageAtWork(t *testing.T) {
	s := open(t, Config{RetryDelay: 10 * time.Millisecond})
	epoch := s.Stats().Epoch
	for i := range 5 {
		sayStored(t, s, "den", fmt.Sprint("message", i), fmt.Sprint("key", i))
		say(t, s, "hall", strings.Repeat("x", 1000)) // more than fits into the page of the root
	}
	foldNow(t, s)
	inPlace(t, s, func(f *os.File, b []byte) {
		// In all pages, since it is not known which is in use.
		for at := 0; ; at++ {
			i := bytes.Index(b[at:], []byte("message2"))
			if i < 0 {
				break
			}
			at += i
			if _, err := f.WriteAt([]byte("X"), int64(at)); err != nil {
				t.Fatal(err)
			}
		}
	})
	const left = "!message0 message1 message3 message4"
	for range 2 {
		want(t, "messages", read(t, s, "den", codec.Query{}), left)
	}
	want(t, "after the hole", read(t, s, "den", codec.Query{After: &codec.ID{Epoch: epoch, Offset: 3}}), "message3 message4")
	want(t, "over the hole", read(t, s, "den", codec.Query{After: &codec.ID{Epoch: epoch, Offset: 1}}), "!message1 message3 message4")
	want(t, "lost", s.Stats().Lost, 1)
	// Who sends it again is not told that it is there.
	again := sayStored(t, s, "den", "message2", "key2")
	want(t, "what was lost, sent again", again, codec.Receipt{ID: codec.ID{Epoch: epoch, Offset: 6}, Durable: true})
	want(t, "what was not, sent again", sayStored(t, s, "den", "message1", "key1").ID.Offset, 2)
	cfg := s.cfg
	closeStore(t, s)
	s = open(t, cfg)
	want(t, "salvages", s.Stats().Salvages, 1)
	want(t, "after a restart", read(t, s, "den", codec.Query{}), left+" message2")
}

// TestFailedFold fails a checkpoint as a card does that is about to die, and looks at
// what the store finds when it looks at the history anew. Meanwhile all goes on, with receipts that say true.
func TestFailedFold(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func(f *os.File, b []byte) error
		den    string
		lost   uint64
	}{
		{"the file is whole", func(*os.File, []byte) error { return nil }, "0 1 2 3 4 pending later", 0},
		{"metas gone", func(f *os.File, b []byte) error {
			_, err := f.WriteAt(make([]byte, 2*pageSize), 0)
			return err
		}, "0 1 2 3 4 pending later", 0},
		{"all gone", func(f *os.File, b []byte) error {
			_, err := f.WriteAt(make([]byte, len(b)), 0)
			return err
		}, "pending later", 5},
		{"cut off", func(f *os.File, b []byte) error { return f.Truncate(100) }, "pending later", 5},
		{"removed", func(f *os.File, b []byte) error { return os.Remove(f.Name()) }, "0 1 2 3 4 pending later", 0},
	} {
		t.Run(c.what, func(t *testing.T) {
			var g gate
			cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), RetryDelay: 10 * time.Millisecond, AckDelay: time.Nanosecond, aroundFold: g.around}
			s := open(t, cfg)
			epoch := s.Stats().Epoch
			sayAll(t, s, "den", 5)
			sayAll(t, s, "hall", 3)
			sayFolded(t, s, "hall", "x", "")
			g.fail(syscall.EIO)
			want(t, "durable", sayStored(t, s, "den", "pending", "k").Durable, true)
			inPlace(t, s, func(f *os.File, b []byte) {
				if err := c.change(f, b); err != nil {
					t.Fatal(err)
				}
			})
			s.requestFold()
			eventually(t, "a checkpoint fails", func() bool { return s.Warning() != nil })
			if c.what != "removed" { // of which the next commit is told
				want(t, "durable", sayStored(t, s, "den", "later", "").Durable, true)
				want(t, "ready", s.Ready(), nil)
			} else {
				say(t, s, "den", "later")
			}
			g.fail(nil)
			eventually(t, "it recovers", func() bool {
				st := s.Stats()
				return s.Ready() == nil && s.Warning() == nil && st.Pending == 0 && (st.Recent == 0 || c.what == "removed")
			})
			check := func() {
				t.Helper()
				want(t, "den", read(t, s, "den", codec.Query{}), c.den)
				want(t, "den's head", s.Head("den"), codec.ID{Epoch: epoch, Offset: 7})
				want(t, "hall's head", s.Head("hall"), codec.ID{Epoch: epoch, Offset: 4})
				want(t, "after what is there", read(t, s, "den", codec.Query{After: &codec.ID{Epoch: epoch, Offset: 5}}), "pending later")
				p := readPage(t, s, "hall", codec.Query{After: &codec.ID{Epoch: epoch, Offset: 2}})
				want(t, "hall recovered", p.Recovered, c.lost == 0)
			}
			check()
			st := s.Stats()
			if st.Reopens == 0 || c.lost > 0 && st.Lost != c.lost+4 || c.lost == 0 && st.Lost > 0 {
				t.Errorf("%+v", st)
			}
			closeStore(t, s)
			s = open(t, cfg)
			check()
			want(t, "key", sayStored(t, s, "den", "pending", "k").ID, codec.ID{Epoch: epoch, Offset: 6})
		})
	}
}

// TestFailedAfterWrite fails checkpoints that have written all the same, and has
// the messages leave the buffer before the next one.
func TestFailedAfterWrite(t *testing.T) {
	var fail atomic.Pointer[error]
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 5, RetryDelay: 10 * time.Millisecond, AckDelay: time.Nanosecond}
	cfg.aroundFold = func(commit func() error) error {
		p := fail.Load()
		if p == nil {
			return commit()
		}
		if *p == syscall.EIO {
			_ = commit()
		}
		return *p
	}
	set := func(err error) { fail.Store(&err) }
	for _, leave := range []bool{false, true} {
		s := open(t, cfg)
		set(syscall.EIO)
		want(t, "durable", sayStored(t, s, "den", "written", "").Durable, true)
		s.requestFold()
		eventually(t, "a checkpoint fails", func() bool { return s.Warning() != nil })
		set(errFull) // the file is looked at anew, and takes nothing more
		eventually(t, "it is looked at anew", func() bool { return s.Stats().Reopens > 0 })
		if leave {
			eventually(t, "it has looked at the messages", func() bool {
				r := s.rooms["den"]
				r.mu.Lock()
				defer r.mu.Unlock()
				return (*r.pending.at(r.pending.len() - 1)).inFile
			})
			sayAll(t, s, "den", 5)
			sayStored(t, s, "hall", "x", "")
		}
		fail.Store(nil)
		eventually(t, "it recovers", func() bool { return s.Warning() == nil && s.Stats().Recent == 0 })
		want(t, "lost", s.Stats().Lost, 0)
		closeStore(t, s)
		s = open(t, cfg)
		want(t, "salvages", s.Stats().Salvages, 0)
		if leave {
			want(t, "in the file", inFile(t, s), 6)
		}
		want(t, "newest", read(t, s, "den", codec.Query{Limit: 1, Newest: true}), map[bool]string{false: "written", true: "4"}[leave])
		closeStore(t, s)
	}
}

// TestBadPage spoils a page of a store that is open, which no commit looks at.
func TestBadPage(t *testing.T) {
	s := open(t, Config{RetryDelay: 10 * time.Millisecond, AckDelay: time.Nanosecond})
	say(t, s, "den", "needle")
	for i := range 200 {
		say(t, s, fmt.Sprint("room", i%20), strings.Repeat("x", 1000))
	}
	sayFolded(t, s, "hall", "x", "")
	inPlace(t, s, func(f *os.File, b []byte) {
		for page := range len(b) / pageSize {
			if bytes.Contains(b[page*pageSize:][:pageSize], []byte("needle")) {
				if _, err := f.WriteAt(make([]byte, pageSize), int64(page)*pageSize); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	p := readPage(t, s, "den", codec.Query{})
	want(t, "messages", len(p.Messages), 0)
	want(t, "recovered", p.Recovered, false)
	eventually(t, "a salvage", func() bool { return s.Stats().Salvages == 1 && s.Ready() == nil })
	want(t, "head", s.Head("den").Offset, 1)
	want(t, "after it", read(t, s, "den", codec.Query{After: &p.Head}), "")
	if n := len(readPage(t, s, "room19", codec.Query{}).Messages); n != 10 {
		t.Errorf("room19: %d messages", n)
	}
}

// TestScanTwice has two buckets lead to one page.
func TestScanTwice(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), HistoryBytes: 1 << 20}
	s := open(t, cfg)
	for i := range 200 { // places for more than a page
		say(t, s, fmt.Sprint(strings.Repeat("room", 10), i), "x")
	}
	s.trimTo(0)
	for range 10 {
		say(t, s, "big", strings.Repeat("x", 4000))
	}
	closeStore(t, s)
	b, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	for page := range len(b) / pageSize { // the root page, and those that were
		root := b[page*pageSize:][:pageSize]
		log, rooms := bytes.Index(root, logBucket), bytes.Index(root, roomsBucket)
		if log > 0 && rooms > 0 {
			copy(root[rooms+len(roomsBucket):][:8], root[log+len(logBucket):][:8])
		}
	}
	path := filepath.Join(t.TempDir(), "edgechat.db")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc, err := scanFile(f)
	if err != nil || !strings.Contains(fmt.Sprint(sc.problems), "is referred to twice") {
		t.Errorf("%q, %v", sc.problems, err)
	}
}

// TestFault cuts off the file of a store that is open, so that the next look at it
// is a fault of the memory map.
func TestFault(t *testing.T) {
	s := open(t, Config{RetryDelay: 10 * time.Millisecond, AckDelay: time.Nanosecond})
	for i := range 200 {
		say(t, s, fmt.Sprint("room", i%20), strings.Repeat("x", 1000))
	}
	sayFolded(t, s, "den", "x", "")
	if err := os.Truncate(s.cfg.Path, 100); err != nil {
		t.Fatal(err)
	}
	p := readPage(t, s, "room0", codec.Query{})
	want(t, "recovered", p.Recovered, false)
	eventually(t, "a salvage", func() bool { return s.Stats().Salvages == 1 && s.Ready() == nil })
	want(t, "durable", sayStored(t, s, "den", "y", "").Durable, true)
	want(t, "den", read(t, s, "den", codec.Query{}), "y")
	want(t, "since the beginning", read(t, s, "den", codec.Query{After: &codec.ID{Epoch: p.Head.Epoch}}), "!y")
}
