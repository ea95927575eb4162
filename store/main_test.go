package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"edgechat/codec"
	"edgechat/internal/edgetest"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		child(path)
		return
	}
	edgetest.Main(m)
}

// stills has for each open store a lock that keeps transactions out of its history: *Store to *sync.Mutex.
var stills sync.Map

// open opens a store that is closed when the test ends, and whose file is checked
// then with all that bbolt has for it. A Path that is empty is a new file.
func open(t testing.TB, cfg Config) *Store {
	t.Helper()
	if cfg.Path == "" {
		cfg.Path = filepath.Join(t.TempDir(), "edgechat.db")
	}
	if cfg.identify == nil { // a copy stands for what a power cut leaves, and not for another line of the store
		cfg.identify = func(*os.File) string { return "the same" }
	}
	still := new(sync.Mutex)
	if cfg.aroundFold == nil { // else the test has its own way to keep the history still
		cfg.aroundFold = func(commit func() error) error {
			still.Lock()
			defer still.Unlock()
			return commit()
		}
	}
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	stills.Store(s, still)
	t.Cleanup(func() {
		stills.Delete(s)
		if err := s.Close(); err != nil && s.fault.Load() == nil {
			t.Errorf("close: %v", err)
		}
		check(t, cfg.Path)
	})
	return s
}

// check looks for what the scan finds wrong, and what bbolt does.
func check(t testing.TB, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	sc, err := scanFile(f)
	if err != nil {
		t.Fatal(err)
	}
	if sc.fresh {
		return
	}
	sc.each(func(uint64, *codec.Record, []byte) {})
	st, err := decodeState(sc.state)
	if sc.damaged() || sc.state != nil && err != nil {
		t.Errorf("scan of %s: %q, state: %v", path, sc.problems, err)
		return
	}
	if found := sc.tally(); found != st.tally {
		t.Errorf("%s holds %+v, and says %+v", path, found, st.tally)
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: time.Second, ReadOnly: true, PreLoadFreelist: true})
	if err != nil {
		t.Error(err)
		return
	}
	defer db.Close()
	err = db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("bbolt: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func closeStore(t testing.TB, s *Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// crash returns a store with what a power cut would leave of s just now.
func crash(t testing.TB, s *Store, cfg Config) *Store {
	t.Helper()
	cfg.Path = filepath.Join(t.TempDir(), "edgechat.db")
	// A crash leaves both files as they are at one moment. A checkpoint that ran between the two copies would have the
	// history of before and a log that needs it no more.
	if still, ok := stills.Load(s); ok {
		still.(*sync.Mutex).Lock()
	}
	copyStore(t, s.cfg.Path, cfg.Path)
	if still, ok := stills.Load(s); ok {
		still.(*sync.Mutex).Unlock()
	}
	return open(t, cfg)
}

// foldNow puts what the log has into the history.
func foldNow(t testing.TB, s *Store) {
	t.Helper()
	done := make(chan error, 1)
	s.folds <- fold{done: done}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// sayFolded is sayStored, and has all of it in the history.
func sayFolded(t testing.TB, s *Store, room, content, key string) codec.Receipt {
	t.Helper()
	r := sayStored(t, s, room, content, key)
	foldNow(t, s)
	return r
}

// scanned returns what is in the history of a store.
func scanned(t testing.TB, s *Store) *scan {
	t.Helper()
	f, err := os.Open(s.cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sc, err := scanFile(f)
	if err != nil {
		t.Fatal(err)
	}
	return sc
}

// copyStore copies both files as they are at one moment: what the committer and the keeper do by themselves, wiping and
// erasing, may go on meanwhile.
func copyStore(t testing.TB, from, to string) {
	t.Helper()
	both := func() (log, history string) {
		for path, b := range map[string]*string{logPath(from): &log, from: &history} {
			read, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			*b = string(read)
		}
		return log, history
	}
	log, history := both()
	for {
		again, alike := both()
		if again == log && alike == history {
			break
		}
		log, history = again, alike
	}
	for path, b := range map[string]string{logPath(to): log, to: history} {
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// appended is Append, and returns the ID before it is told to anybody else.
func (s *Store) appended(room string, m codec.Message, key string, done func(codec.Receipt)) (codec.ID, error) {
	return s.put(room, said(m), codec.Claim{}, key, done)
}

// revised is the same of Revise.
func (s *Store) revised(room string, m codec.Message, claim codec.Claim, key string, done func(codec.Receipt)) (codec.ID, error) {
	return s.put(room, revising(m), claim, key, done)
}

// say appends a message with this content.
func say(t testing.TB, s *Store, room, content string) codec.ID {
	t.Helper()
	id, err := s.appended(room, codec.Message{Username: "alice", Content: content, Time: 1}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// sayStored is say, and returns once the receipt is there.
func sayStored(t testing.TB, s *Store, room, content, key string) codec.Receipt {
	t.Helper()
	done := make(chan codec.Receipt, 1)
	id, err := s.appended(room, codec.Message{Username: "alice", Content: content, Time: 1}, key, func(r codec.Receipt) { done <- r })
	if err != nil {
		t.Fatal(err)
	}
	select {
	case r := <-done:
		if r.ID != id {
			t.Fatalf("receipt for %s, appended as %s", r.ID, id)
		}
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("no receipt")
	}
	panic("unreachable")
}

func sayAll(t testing.TB, s *Store, room string, n int) (ids []codec.ID) {
	t.Helper()
	for i := range n {
		ids = append(ids, say(t, s, room, fmt.Sprint(i)))
	}
	return ids
}

// read answers q with the contents as one text, and "!" in front if it is not recovered.
func read(t testing.TB, s *Store, room string, q codec.Query) string {
	t.Helper()
	p := readPage(t, s, room, q)
	var b strings.Builder
	if !p.Recovered {
		b.WriteString("!")
	}
	for i, m := range p.Messages {
		if i > 0 {
			b.WriteString(" ")
		}
		b.WriteString(m.Content)
	}
	return b.String()
}

func readPage(t testing.TB, s *Store, room string, q codec.Query) codec.Page {
	t.Helper()
	p, err := s.Read(room, q)
	if err != nil {
		t.Fatal(err)
	}
	if p.Room != room {
		t.Fatalf("a page of %q, not %q", p.Room, room)
	}
	return p
}

func want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	// Tries of the disk are as far apart as they have failed for, up to 30 s: a slow machine waits for the next.
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 2 minutes", what)
		}
	}
}
