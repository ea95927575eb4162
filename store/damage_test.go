package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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
