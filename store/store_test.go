package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgechat/codec"
)

func TestAppendRead(t *testing.T) {
	s := open(t, Config{})
	var seen []string
	s.Deliver(func(room string, m *codec.Message) { seen = append(seen, room+":"+m.ID.String()+":"+m.Content) }, nil)
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
	if _, err := s.appended("den", codec.Message{}, "", nil); !strings.Contains(fmt.Sprint(err), ErrClosed.Error()) {
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
		_, err := s.appended(c.room, codec.Message{Content: c.content}, "", nil)
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
