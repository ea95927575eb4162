package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/internal/faultydisk"
)

// onCard starts a server on a card with a history that is on the device alone: it was written by the run before, and
// no page of it is in memory.
func onCard(t *testing.T, env ...string) (*faultydisk.Card, *board) {
	t.Helper()
	card := faultydisk.New(t, 128<<20)
	b := startBoard(t, card.Dir+"/data")
	b.say("old", filler(1000)...)
	b.stop()
	b = startBoard(t, b.data, env...)
	return card, b
}

func evict(card *faultydisk.Card, b *board) {
	b.t.Helper()
	for _, path := range b.files() {
		card.Evict(b.cmd.Process.Pid, path)
	}
}

// after a fault whatever the card does, people talk, and the server says how it is.
func (b *board) serves(when string) {
	b.t.Helper()
	stop := b.talk(b.t)
	time.Sleep(300 * time.Millisecond)
	b.lives(when)
	if took := stop(); len(took) == 0 || took[len(took)-1] > time.Second {
		b.t.Errorf("%s: of %d messages the slowest took %v\n%s", when, len(took), took[max(0, len(took)-1):], b.log)
	}
}

// TestUnreadable has pages of each file fail to be read: the first, on which all depends, and all of them. bbolt reads through
// a mapping, where such a page is a signal and not an error.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		to   int64 // bytes of each file
	}{{"first page", 4096}, {"every page", 1 << 40}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			card, b := onCard(t)
			for _, path := range b.files() {
				evict(card, b)
				fault := faultydisk.Fault{Err: syscall.EIO}
				if c.to == 4096 {
					fault.From, fault.To = card.Where(path, 0)
				}
				card.Set(faultydisk.Read, fault)
				_, _, _ = b.get("/chat/room/old/messages?limit=300", 10*time.Second)
				b.post("old", "new")
				_, _, _ = b.get("/chat/room/old/messages?limit=300", 10*time.Second)
				b.serves(filepath.Base(path) + " cannot be read")
				card.Mend()
			}
			b.stopsWithin(20 * time.Second)
		})
	}
}

// TestTruncated makes each file empty under the server: who reads a mapping beyond the end of its file
// gets a signal.
func TestTruncated(t *testing.T) {
	t.Parallel()
	_, b := onCard(t)
	for _, path := range b.files() {
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
		_, _, _ = b.get("/chat/room/old/messages?limit=300", 10*time.Second)
		b.post("old", "new")
		_, _, _ = b.get("/chat/room/old/messages?limit=300", 10*time.Second)
		b.serves(filepath.Base(path) + " is empty")
	}
	b.stopsWithin(20 * time.Second)
}

// TestDeadCard has a commit fail on a card of which one page, that the commit has no need of, cannot be read: bbolt
// rolls back then, and walks the whole tree for that on a goroutine of its own.
func TestDeadCard(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		fail faultydisk.Op
	}{{"a write fails", faultydisk.Write}, {"a flush fails", faultydisk.Flush}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			card, b := onCard(t)
			path, offset := b.find(filler(1000)[850])
			from, to := card.Where(path, offset)
			card.Set(faultydisk.Read, faultydisk.Fault{Err: syscall.EIO, From: from, To: to})
			for i := range 5 {
				evict(card, b)
				card.Set(c.fail, faultydisk.Fault{Err: syscall.EIO})
				b.post("old", fmt.Sprint("new", i))
				time.Sleep(100 * time.Millisecond) // other attempts
				b.lives("after a commit that failed")
				card.Set(c.fail, faultydisk.Fault{})
				b.post("old", fmt.Sprint("newer", i))
			}
			card.SetAll(faultydisk.Fault{Err: syscall.EIO})
			b.serves("the card is dead")
			b.stopsWithin(20 * time.Second)
		})
	}
}

// find returns where a content is stored.
func (b *board) find(content string) (path string, offset int64) {
	b.t.Helper()
	for _, path := range b.files() {
		p, err := os.ReadFile(path)
		if err != nil {
			b.t.Fatal(err)
		}
		if i := bytes.Index(p, []byte(content)); i >= 0 {
			return path, int64(i)
		}
	}
	b.t.Fatalf("%.20s is in none of %s", content, b.files())
	return "", 0
}

// TestReaderOnHangingCard has people ask for a history that a card does not give, and others talk in another room
// meanwhile. A page fault keeps a processor of Go's scheduler until it is over.
func TestReaderOnHangingCard(t *testing.T) {
	t.Parallel()
	card, b := onCard(t, "GOMAXPROCS=2")
	before := card.Stats()
	stop := b.talk(t)
	evict(card, b)
	card.Set(faultydisk.Read, faultydisk.Fault{Hang: true})
	answers := make(chan string, 4)
	for range cap(answers) {
		go func() {
			status, _, err := b.get("/chat/room/old/messages?limit=300", 60*time.Second)
			answers <- fmt.Sprint(status, " ", err)
		}()
	}
	for range 10 {
		time.Sleep(200 * time.Millisecond)
		b.lives("while a reader waits for the card")
	}
	hung := card.Stats().Hanging
	card.Mend()
	took := stop()
	for range cap(answers) {
		if a := <-answers; !strings.HasPrefix(a, "200 ") && !strings.HasPrefix(a, "503 ") {
			t.Errorf("a reader got %s", a)
		}
	}
	t.Logf("%d messages, the slowest took %v; %d reads hung, %d were made", len(took), took[len(took)-1], hung, card.Stats().Sub(before).Reads)
	if len(took) < 100 || took[len(took)-1] > time.Second {
		t.Errorf("of %d messages the slowest took %v while the card hung", len(took), took[len(took)-1])
	}
	b.stop()
}

// TestOverwritten has somebody overwrite the start of each file: readers and a stop come to an end all the same.
func TestOverwritten(t *testing.T) {
	t.Parallel()
	_, b := onCard(t)
	for _, path := range b.files() {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(make([]byte, 8192), 0); err != nil {
			t.Fatal(err)
		}
		f.Close()
		for range 3 {
			if _, _, err := b.get("/chat/room/old/messages?limit=300", 10*time.Second); err != nil {
				t.Errorf("%s is overwritten: history: %v", filepath.Base(path), err)
			}
			b.post("old", "new")
		}
		b.serves(filepath.Base(path) + " is overwritten")
	}
	b.stopsWithin(20 * time.Second)
}

// TestReadsWhileDegraded has a card that takes no more writes, and gives what it has: so does the server.
func TestReadsWhileDegraded(t *testing.T) {
	t.Parallel()
	for _, op := range []faultydisk.Op{faultydisk.Write, faultydisk.Flush} {
		t.Run([...]string{"", "no writes", "no flushes"}[op], func(t *testing.T) {
			t.Parallel()
			card, b := onCard(t)
			card.Set(op, faultydisk.Fault{Err: syscall.EIO})
			end := time.Now().Add(20 * time.Second)
			for status := 201; status != 202; {
				if status, _ = b.post("new", "x"); time.Now().After(end) {
					t.Fatal("every write fails, and messages are durable")
				}
			}
			for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
				b.post("new", "x")
				status, body, err := b.get("/chat/room/old/messages?limit=300", 10*time.Second)
				if n := strings.Count(body, `"content"`); err != nil || status != 200 || n != 200 {
					t.Fatalf("history that is whole on the card: %d with %d messages, %v\n%s", status, n, err, b.log)
				}
			}
			if status, body, _ := b.get("/readyz", time.Second); status != 503 {
				t.Errorf("readyz: %d %s", status, body)
			}
			b.stopsWithin(20 * time.Second)
		})
	}
}

// TestForgottenRooms talks in ever new rooms while the card takes nothing: memory is bounded, that
// of rooms which have nothing any more too.
func TestForgottenRooms(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	if edgetest.Race {
		t.Skip("the race detector takes memory of its own: make test PART=allocs runs it")
	}
	t.Parallel()
	card := faultydisk.New(t, 64<<20)
	b := startBoard(t, card.Dir+"/data", "EDGECHAT_HISTORY_BYTES=1MiB", "GOGC=20")
	card.SetAll(faultydisk.Fault{Err: syscall.EIO})
	resident := map[int]int{}
	const rooms = 60_000
	for i := range rooms + 1 {
		if status, _ := b.post(fmt.Sprintf("%s%d", strings.Repeat("ж", 58), i), "x"); status == 201 && i > 1000 {
			t.Fatal("the card is gone, and messages are durable")
		}
		if i == rooms/3 || i == rooms {
			resident[i] = b.resident()
		}
	}
	grown := resident[rooms] - resident[rooms/3]
	t.Logf("resident: %d KiB after %d rooms, %d KiB after %d", resident[rooms/3], rooms/3, resident[rooms], rooms)
	if grown > 3<<10 {
		t.Errorf("%d KiB more for %d rooms that have nothing", grown, rooms-rooms/3)
	}
	b.stopsWithin(20 * time.Second)
}

// resident returns the memory of the server in KiB.
func (b *board) resident() (kib int) {
	b.t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.cmd.Process.Pid))
	if err != nil {
		b.t.Fatal(err)
	}
	_, rest, _ := bytes.Cut(raw, []byte("VmRSS:"))
	if _, err := fmt.Sscan(string(rest), &kib); err != nil {
		b.t.Fatal(err)
	}
	return kib
}
