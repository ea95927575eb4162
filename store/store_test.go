package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
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
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
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
	copyFile(t, s.cfg.Path, cfg.Path)
	copyFile(t, s.logPath(), logPath(cfg.Path))
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

// say appends a message with this content.
func say(t testing.TB, s *Store, room, content string) codec.ID {
	t.Helper()
	id, err := s.Append(room, codec.Message{Username: "alice", Content: content, Time: 1}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// sayStored is say, and returns once the receipt is there.
func sayStored(t testing.TB, s *Store, room, content, key string) codec.Receipt {
	t.Helper()
	done := make(chan codec.Receipt, 1)
	id, err := s.Append(room, codec.Message{Username: "alice", Content: content, Time: 1}, key, func(r codec.Receipt) { done <- r })
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
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 30 s", what)
		}
	}
}

func TestAppendRead(t *testing.T) {
	s := open(t, Config{})
	var seen []string
	s.Deliver(func(room string, m *codec.Message) { seen = append(seen, room+":"+m.ID.String()+":"+m.Content) })
	epoch := s.Stats().Epoch

	want(t, "head of a room that is not there", s.Head("den"), codec.ID{Epoch: epoch})
	want(t, "its messages", read(t, s, "den", codec.Query{}), "")
	ids := sayAll(t, s, "den", 5)
	say(t, s, "hall", "other")
	for i, id := range ids {
		want(t, "id", id, codec.ID{Epoch: epoch, Offset: uint64(i + 1)})
	}
	want(t, "delivered", strings.Join(seen[3:], " "), fmt.Sprintf("den:%s:3 den:%s:4 hall:%s-1:other", ids[3], ids[4], epoch))
	want(t, "head", s.Head("den"), ids[4])

	// The same from memory, then from the file.
	for _, stage := range []string{"pending", "in the log", "in the history"} {
		switch stage {
		case "in the log":
			want(t, "durable", sayStored(t, s, "other", "x", "").Durable, true)
			want(t, "pending", s.Stats().Pending, 0)
			want(t, "recent", s.Stats().Recent, 7)
		case "in the history":
			foldNow(t, s)
			want(t, "recent", s.Stats().Recent, 0)
		}
		at := func(i int) *codec.ID { return &ids[i] }
		for _, c := range []struct {
			what string
			q    codec.Query
			want string
		}{
			{"all", codec.Query{}, "0 1 2 3 4"},
			{"first 2", codec.Query{Limit: 2}, "0 1"},
			{"newest 2", codec.Query{Limit: 2, Newest: true}, "3 4"},
			{"limit above all", codec.Query{Limit: 99, Newest: true}, "0 1 2 3 4"},
			{"after 1", codec.Query{After: at(1)}, "2 3 4"},
			{"after 1, first", codec.Query{After: at(1), Limit: 1}, "2"},
			{"after 1, newest: 2 and 3 are left out", codec.Query{After: at(1), Limit: 1, Newest: true}, "!4"},
			{"after 3, newest", codec.Query{After: at(3), Limit: 1, Newest: true}, "4"},
			{"after the head", codec.Query{After: at(4)}, ""},
			{"after the beginning", codec.Query{After: &codec.ID{Epoch: epoch}}, "0 1 2 3 4"},
			{"after what is to come", codec.Query{After: &codec.ID{Epoch: epoch, Offset: 6}}, "!0 1 2 3 4"},
			{"after what is to come, limited", codec.Query{After: &codec.ID{Epoch: epoch, Offset: 6}, Limit: 2}, "!3 4"},
			{"unknown epoch", codec.Query{After: &codec.ID{Epoch: "nonsense", Offset: 2}, Limit: 3}, "!2 3 4"},
			{"before 3", codec.Query{Before: at(3)}, "0 1 2"},
			{"before 3, limited", codec.Query{Before: at(3), Limit: 2}, "1 2"},
			{"before the first", codec.Query{Before: at(0)}, ""},
			{"before the beginning", codec.Query{Before: &codec.ID{Epoch: epoch}}, ""},
			{"before what is to come", codec.Query{Before: &codec.ID{Epoch: epoch, Offset: 6}, Limit: 1}, "4"},
			{"before an unknown epoch", codec.Query{Before: &codec.ID{Epoch: "nonsense", Offset: 2}, Limit: 1}, "!4"},
			{"between", codec.Query{After: at(0), Before: at(4)}, "1 2 3"},
			{"between, limited", codec.Query{After: at(0), Before: at(4), Limit: 2}, "!2 3"},
			{"between neighbors", codec.Query{After: at(2), Before: at(3)}, ""},
			{"between, reversed", codec.Query{After: at(3), Before: at(1)}, ""},
		} {
			want(t, stage+": "+c.what, read(t, s, "den", c.q), c.want)
		}
		p := readPage(t, s, "den", codec.Query{})
		want(t, "oldest", p.Oldest, ids[0])
		want(t, "page head", p.Head, ids[4])
		want(t, "message", p.Messages[2], codec.Message{ID: ids[2], Username: "alice", Content: "2", Time: 1})
	}
}

func TestReopen(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "a", "b", "edgechat.db")} // the folder is made
	s := open(t, cfg)
	first := sayAll(t, s, "den", 3)
	closeStore(t, s)
	if err := s.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if _, err := s.Append("den", codec.Message{}, "", nil); !strings.Contains(fmt.Sprint(err), ErrClosed.Error()) {
		t.Errorf("append after close: %v", err)
	}
	if _, err := s.Read("den", codec.Query{}); err == nil {
		t.Error("read after close: no error")
	}

	s = open(t, cfg)
	want(t, "epoch after a close in order", s.Stats().Epoch, first[0].Epoch)
	want(t, "head", s.Head("den"), first[2])
	next := say(t, s, "den", "3")
	want(t, "next id", next, codec.ID{Epoch: first[0].Epoch, Offset: 4})
	want(t, "after a cursor of before", read(t, s, "den", codec.Query{After: &first[1]}), "2 3")
}

func TestBadAppend(t *testing.T) {
	s := open(t, Config{HistoryBytes: 64 << 10})
	for _, c := range []struct{ room, content, want string }{
		{"", "x", "names of rooms"},
		{strings.Repeat("x", 1025), "x", "names of rooms"},
		{"den", strings.Repeat("x", 40<<10), `room "den": the message is too large for the buffer: it takes 41027 bytes, the buffer holds 65536 (HistoryBytes) and the log 131072 (LogBytes)`},
	} {
		_, err := s.Append(c.room, codec.Message{Content: c.content}, "", nil)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("append %d bytes to %.10q: %v, want %q", len(c.content), c.room, err, c.want)
		}
	}
	want(t, "rooms", s.Stats().Rooms, 0)
}

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "Path is empty"},
		{Config{Path: "x", History: -1}, "History is -1: it must be from 1 to 1000000"},
		{Config{Path: "x", HistoryBytes: 1}, "HistoryBytes is 1: it must be from 65536"},
		{Config{Path: "x", AckDelay: time.Second}, "AckDelay is 1s: it must be from 1ns to 100ms"},
		{Config{Path: "x", CommitBytes: 1}, "CommitBytes is 1"},
		{Config{Path: "x", SyncInterval: -1}, "SyncInterval"},
	} {
		_, err := Open(c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.cfg, err, c.want)
		}
	}
}
