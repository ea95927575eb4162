package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"edgechat/codec"
)

const damageRooms, damageEach = 5, 100

// A victim is a store of 500 messages that was closed in order, and the bytes of its file.
type victim struct {
	epoch string
	file  []byte
	log   []byte
}

func newVictim(t testing.TB) victim {
	t.Helper()
	path := filepath.Join(t.TempDir(), "edgechat.db")
	s := open(t, Config{Path: path, AckDelay: time.Nanosecond, History: damageEach, LogBytes: 128 << 10})
	for i := range damageEach + 50 { // some were removed: there are places and free pages
		for r := range damageRooms {
			say(t, s, fmt.Sprint("room", r), content(uint64(i+1)))
		}
		if i%10 == 0 {
			sayStored(t, s, "other", "x", fmt.Sprint("key", i))
		}
	}
	sayStored(t, s, "other", "x", "")
	sayFolded(t, s, "other", "x", "")
	sayStored(t, s, "other", "x", "")         // what displaced some while that was written is in the log
	if err := s.makeRoom(false); err != nil { // the keeper is idle
		t.Fatal(err)
	}
	want(t, "in the file", inFile(t, s), damageRooms*damageEach+17)
	epoch := s.Stats().Epoch
	closeStore(t, s)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(logPath(path))
	if err != nil {
		t.Fatal(err)
	}
	return victim{epoch, b, log}
}

func content(offset uint64) string {
	return fmt.Sprintf("message %d %s", offset, strings.Repeat("x", int(offset)%300))
}

// survivors opens what is left of the victim after change, checks that everything
// that a store promises holds, and returns how many of the messages it has.
func (v victim) survivors(t testing.TB, change func(b []byte) []byte) (n int, damaged bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "edgechat.db")
	for path, b := range map[string][]byte{path: change(bytes.Clone(v.file)), logPath(path): v.log} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg := Config{Path: path, AckDelay: time.Nanosecond, History: 10 * damageEach}
	s := open(t, cfg)
	defer func() { closeStore(t, s) }()
	if err := s.Ready(); err != nil {
		t.Fatalf("ready: %v", err)
	}
	damaged = s.Stats().Salvages > 0
	aside, _ := filepath.Glob(path + ".corrupt-*")
	if damaged != (len(aside) == 1) {
		t.Fatalf("damaged %t, put aside %v", damaged, aside)
	}
	lossy, goesOn := s.epochs.Load().now().lossy, s.Stats().Epoch == v.epoch
	if damaged && !lossy {
		t.Fatal("damaged, but the epoch goes on")
	}
	count := func() (n int) {
		for r := range damageRooms {
			p := readPage(t, s, fmt.Sprint("room", r), codec.Query{})
			last := uint64(0)
			for _, m := range p.Messages {
				if m.Content == "new" {
					continue
				}
				if m.ID.Epoch != v.epoch || m.Content != content(m.ID.Offset) || m.ID.Offset <= last {
					t.Fatalf("room%d: %s after %d: %.30q", r, m.ID, last, m.Content)
				}
				last = m.ID.Offset
				n++
			}
		}
		return n
	}
	n = count()
	if !lossy {
		want(t, "messages of a file that passes for whole", n, damageRooms*damageEach)
	} else if n < damageRooms*damageEach {
		// Nothing passes for complete, not even for who had seen it all.
		p := readPage(t, s, "room0", codec.Query{After: &codec.ID{Epoch: v.epoch, Offset: damageEach + 50}})
		want(t, "recovered", p.Recovered, false)
	}
	for r := range damageRooms {
		id := sayStored(t, s, fmt.Sprint("room", r), "new", "").ID
		if goesOn != (id.Epoch == v.epoch) || goesOn && lossy {
			t.Fatalf("new message %s, lossy %t", id, lossy)
		}
	}
	closeStore(t, s)
	s = open(t, cfg)
	if st := s.Stats(); st.Salvages > 0 {
		t.Fatal("still damaged after a salvage")
	}
	want(t, "messages after another restart", count(), n)
	return n, damaged
}

func TestDamage(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	// What had left the buffer may be found again.
	const all, said = damageRooms * damageEach, damageRooms * (damageEach + 50)
	zero := func(from, to int) func(b []byte) []byte {
		return func(b []byte) []byte { clear(b[from:to]); return b }
	}
	cut := func(size int) func(b []byte) []byte {
		return func(b []byte) []byte { return b[:size] }
	}
	for _, c := range []struct {
		what        string
		change      func(b []byte) []byte
		least, most int
		damaged     bool
	}{
		{"nothing", func(b []byte) []byte { return b }, all, all, false},
		{"garbage behind the end", func(b []byte) []byte { return append(b, "garbage"...) }, all, all, false},
		// What the log still has of it comes back.
		{"zero length", cut(0), 50, said, false},
		{"one byte", cut(1), 50, said, true},
		{"cut within the first meta", cut(50), 50, said, true},
		{"cut after the metas", cut(2 * pageSize), 50, said, true},
		{"cut in the middle", cut(16 * pageSize), 50, said, true},
		{"a bit of a message", func(b []byte) []byte {
			// On all pages, also those that are not in use; of one room, by the byte of its name.
			text := []byte(content(damageEach + 50))
			return bytes.ReplaceAll(b, text, bytes.Replace(text, []byte("m"), []byte("M"), 1))
		}, all - damageRooms, all - damageRooms, true},
		{"first meta gone", zero(0, pageSize), all, said, false},
		{"second meta gone", zero(pageSize, 2*pageSize), all, said, false},
		{"both metas gone", zero(0, 2*pageSize), all, said, true},
		{"garbage", func(b []byte) []byte {
			rnd := rand.New(rand.NewPCG(1, 1))
			for i := range b {
				b[i] = byte(rnd.Uint32())
			}
			return b
		}, 50, said, true},
		{"text", func([]byte) []byte { return []byte(strings.Repeat("not a database\n", 1000)) }, 50, said, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			n, damaged := v.survivors(t, c.change)
			if n < c.least || n > c.most || damaged != c.damaged {
				t.Errorf("%d of %d messages, damaged %t; want %d to %d, %t", n, all, damaged, c.least, c.most, c.damaged)
			}
		})
	}
}

// TestDamagedPages takes away every second page, each time one: no more is lost than lay
// on it.
func TestDamagedPages(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	used := 0
	pages := len(v.file) / pageSize
	for pages > 0 && bytes.Count(v.file[(pages-1)*pageSize:pages*pageSize], []byte{0}) == pageSize {
		pages-- // the file is longer than what is used of it
	}
	for page := 2; page < pages; page += 2 {
		n, damaged := v.survivors(t, func(b []byte) []byte { clear(b[page*pageSize:][:pageSize]); return b })
		if damaged {
			used++
		}
		if least := damageRooms*damageEach - 60; n < least {
			t.Errorf("page %d: %d messages left", page, n)
		}
	}
	if used < 10 {
		t.Errorf("%d of %d pages were in use", used, pages)
	}
}

// TestLostElements shortens every third page by an element, which leaves
// a tree that is in order.
func TestLostElements(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	seen := 0
	for page := 2; page < 60; page += 3 {
		header := v.file[page*pageSize:][:pageHeader]
		count := binary.NativeEndian.Uint16(header[10:])
		if binary.NativeEndian.Uint16(header[8:]) != flagLeaf || count < 2 {
			continue
		}
		_, damaged := v.survivors(t, func(b []byte) []byte {
			binary.NativeEndian.PutUint16(b[page*pageSize+10:], count-1)
			return b
		})
		if damaged {
			seen++
		}
	}
	if seen < 6 {
		t.Errorf("%d pages were noticed", seen)
	}
}

// TestDamagedBits flips bits anywhere.
func TestDamagedBits(t *testing.T) {
	t.Parallel()
	v := newVictim(t)
	rnd := rand.New(rand.NewPCG(1, 2))
	damages := 0
	for range 12 {
		n, damaged := v.survivors(t, func(b []byte) []byte {
			for range 20 {
				b[rnd.IntN(80*pageSize)] ^= 1 << rnd.IntN(8)
			}
			return b
		})
		if damaged {
			damages++
		}
		if n < damageRooms*damageEach/4 {
			t.Errorf("%d messages left", n)
		}
	}
	if damages < 8 {
		t.Errorf("%d of 12 were noticed: this tests nothing", damages)
	}
}

// TestCorruptCopies: the newest two are kept.
func TestCorruptCopies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "chat[1]*.db") // also a pattern
	if err := os.WriteFile(path+".new", []byte("of a salvage that power cut short"), 0o600); err != nil {
		t.Fatal(err)
	}
	closeStore(t, open(t, Config{Path: path}))
	if _, err := os.Stat(path + ".new"); err == nil {
		t.Error("the file of a salvage that was cut short stays")
	}
	for _, year := range []string{"2998", "2999"} { // by a clock that was wrong
		if err := os.WriteFile(path+".corrupt-"+year+"0101T000000.000000", nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var last string
	for range 3 {
		if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 10_000), 0o600); err != nil {
			t.Fatal(err)
		}
		closeStore(t, open(t, Config{Path: path}))
		// The store, and two that were put aside: the last one, and that which seems the newest.
		files, err := os.ReadDir(filepath.Dir(path))
		files = slices.DeleteFunc(files, func(f os.DirEntry) bool { return strings.Contains(f.Name(), "-wal") })
		if err != nil || len(files) != 3 || files[1].Name() == last || !strings.Contains(files[2].Name(), "corrupt-2999") {
			t.Fatalf("%v, %v", files, err)
		}
		last = files[1].Name()
	}
}

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
