package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/codec"
)

// nowhere waits until what revisions took away was erased, and looks for texts in the bytes of both files.
func nowhere(t testing.TB, s *Store, texts []string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !s.closed.Load() && s.Stats().Unerased; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not erased: %+v", s.Stats())
		}
	}
	for _, path := range []string{s.cfg.Path, s.logPath()} {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range texts {
			if at := bytes.Index(b, []byte(text)); at >= 0 {
				t.Fatalf("%q is at byte %d of %s", text, at, path)
			}
		}
	}
}

// reviseStored is sayStored for a revision by whoever may change everything.
func reviseStored(t testing.TB, s *Store, room string, kind codec.Kind, target codec.ID, content string) codec.ID {
	t.Helper()
	done := make(chan codec.Receipt, 1)
	id, err := s.revised(room, codec.Message{Username: "u", Kind: kind, Target: target, Content: content}, codec.Claim{All: true}, "", func(r codec.Receipt) { done <- r })
	if err != nil {
		t.Fatal(err)
	}
	if r := <-done; !r.Durable || r.ID != id {
		t.Fatalf("receipt %+v for %s", r, id)
	}
	return id
}

// TestErasedAfterPowerCut: power is cut when the history has a deletion already, and the log what was deleted. The next
// start erases it, though nothing is said.
func TestErasedAfterPowerCut(t *testing.T) {
	t.Parallel()
	var hold atomic.Bool
	held, release := make(chan struct{}), make(chan struct{})
	cfg := Config{aroundCommit: func(commit func() error) error {
		if hold.CompareAndSwap(true, false) { // the log is about to leave the half that has it
			close(held)
			<-release
		}
		return commit()
	}}
	s := open(t, cfg)
	id := sayStored(t, s, "den", "what nobody is to read", "").ID
	reviseStored(t, s, "den", codec.Deletion, id, "")
	hold.Store(true)
	foldNow(t, s)
	<-held
	after := cfg
	after.aroundCommit = nil
	next := crash(t, s, after)
	close(release)
	closeStore(t, s)
	defer closeStore(t, next)
	nowhere(t, next, []string{"what nobody is to read"})
	if p := readPage(t, next, "den", codec.Query{}); len(p.Messages) != 2 || !p.Messages[0].Deleted {
		t.Errorf("the room has %+v", p.Messages)
	}
}

// TestReadWhileRevised: readers, a writer and a log that is full now and then, while everything that is said is edited. No reader
// sees what was there before the newest that he was told of.
func TestReadWhileRevised(t *testing.T) {
	t.Parallel()
	s := open(t, Config{SyncInterval: time.Millisecond, AckDelay: time.Microsecond, History: 50, LogBytes: 128 << 10})
	var newest atomic.Uint64 // of the edits of the one message
	id := sayStored(t, s, "den", "0", "").ID
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				least := newest.Load()
				p, err := s.Read("den", codec.Query{})
				if err != nil || !p.Recovered || len(p.Messages) == 0 {
					t.Errorf("%d messages, recovered %t, %v", len(p.Messages), p.Recovered, err)
					return
				}
				for _, m := range p.Messages {
					n, err := strconv.ParseUint(strings.TrimSpace(m.Content), 10, 64)
					if err != nil || n < least || n != number(p.Messages) {
						t.Errorf("%s says %.20q, the newest was %d; %v", m.ID, m.Content, least, err)
						return
					}
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for n := uint64(1); n <= 40; n++ {
		content := fmt.Sprintf("%d%s", n, strings.Repeat(" ", 2000))
		if _, err := s.revised("den", codec.Message{Kind: codec.Edit, Target: id, Content: content}, codec.Claim{All: true}, "", nil); err != nil {
			t.Fatal(err)
		}
		newest.Store(n)
		if n%8 == 0 {
			foldNow(t, s)
		}
	}
	close(stop)
	wg.Wait()
}

// number returns what the last message says.
func number(list []codec.Message) uint64 {
	n, _ := strconv.ParseUint(strings.TrimSpace(list[len(list)-1].Content), 10, 64)
	return n
}

// TestRevisionLost: if the newest edit cannot be read, nobody is told that the message says nothing.
func TestRevisionLost(t *testing.T) {
	t.Parallel()
	cfg := Config{}
	s := open(t, cfg)
	id := sayStored(t, s, "den", "first words", "").ID
	sayStored(t, s, "den", "between", "")
	reviseStored(t, s, "den", codec.Edit, id, "second words")
	foldNow(t, s)
	path := s.cfg.Path
	closeStore(t, s)
	spoil(t, path, "second words")
	cfg.Path = path
	s = open(t, cfg)
	defer closeStore(t, s)
	p := readPage(t, s, "den", codec.Query{})
	if len(p.Messages) != 1 || p.Messages[0].Content != "between" {
		t.Errorf("the room has %+v", p.Messages)
	}
}

// spoil changes a byte of what says this in a file.
func spoil(t testing.TB, path, text string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(b, []byte(text))
	if at < 0 {
		t.Fatalf("%q is not in %s", text, path)
	}
	b[at] ^= 1
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRevisionBackup: a backup has what there is now and nothing of before, whether the history has the
// revision or the log alone; and a store that is made of it takes the next one.
func TestRevisionBackup(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	defer closeStore(t, s)
	first := sayStored(t, s, "den", "first words", "").ID
	second := sayStored(t, s, "den", "words to go", "").ID
	reviseStored(t, s, "den", codec.Edit, first, "words between")
	foldNow(t, s)
	reviseStored(t, s, "den", codec.Edit, first, "last words")
	reviseStored(t, s, "den", codec.Deletion, second, "")
	path := filepath.Join(t.TempDir(), "backup")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Backup(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"first words", "words between", "words to go"} {
		if bytes.Contains(b, []byte(gone)) {
			t.Errorf("%q is in the backup", gone)
		}
	}
	to := filepath.Join(t.TempDir(), "edgechat.db")
	if _, _, err := Restore(path, to); err != nil {
		t.Fatal(err)
	}
	r := open(t, Config{Path: to})
	defer closeStore(t, r)
	want, got := readPage(t, s, "den", codec.Query{}).Messages, readPage(t, r, "den", codec.Query{}).Messages
	if len(got) != 5 || !slices.Equal(got, want) || got[0].Content != "last words" || !got[1].Deleted || got[2].Content != "last words" {
		t.Errorf("restored %+v\nfrom %+v", got, want)
	}
	if _, err := r.revised("den", codec.Message{Kind: codec.Deletion, Target: second}, codec.Claim{All: true}, "", nil); !errors.Is(err, codec.ErrNoTarget) {
		t.Errorf("what was deleted is deleted again: %v", err)
	}
	reviseStored(t, r, "den", codec.Deletion, first, "")
}

// TestRevisedBetween: an edit comes into the history between the time at which a reader looks up what he wants, and reads
// it: what is there then has no content any more, and is looked up again.
func TestRevisedBetween(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	defer closeStore(t, s)
	id := sayStored(t, s, "den", "first", "").ID
	foldNow(t, s)
	unrevised := s.plan("den", codec.Query{})
	reviseStored(t, s, "den", codec.Edit, id, "second")
	foldNow(t, s)
	revised := s.plan("den", codec.Query{})
	reviseStored(t, s, "den", codec.Edit, id, "third")
	foldNow(t, s)
	for what, p := range map[string]*plan{"a message that was edited": unrevised, "an edit that was": revised} {
		if err := s.fetch(p); !errors.Is(err, errMoved) {
			t.Errorf("%s meanwhile: %v, %+v", what, err, p.page.Messages)
		}
	}
	for _, m := range readPage(t, s, "den", codec.Query{}).Messages {
		if m.Content != "third" {
			t.Errorf("%+v", m)
		}
	}
}
