package cluster

import (
	"fmt"
	"path/filepath"
	"testing"

	"edgechat/codec"
	"edgechat/store"
)

// An idle engine is never asked, and ends.
type idle struct{ Engine }

func (idle) Describe() string { return "idle" }
func (idle) Close() error     { return nil }

// newLog returns that of a node which asks its engine for nothing, and its store.
func newLog(t *testing.T) (*Log, *store.Follower) {
	t.Helper()
	f, err := store.OpenFollower(store.Config{Path: filepath.Join(t.TempDir(), "edgechat.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	l, err := Open(Config{Store: f, Engine: idle{}, Node: "node"})
	if err != nil {
		t.Fatal(err)
	}
	return l, f
}

// TestPaid: what the log has again is owed no more when the node ends, though other messages are owed still: said again long after, when the engine has forgotten
// its key, it would be there twice.
func TestPaid(t *testing.T) {
	l, f := newLog(t)
	var records []codec.Record
	for i := range 3 {
		records = append(records, codec.Record{Room: "den", Key: fmt.Sprint("k", i), Message: codec.Message{Username: "ann", Content: fmt.Sprint(i), Time: 1}})
	}
	if err := l.owe(records); err != nil {
		t.Fatal(err)
	}
	l.paid(records[1])
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := f.Owed()
	if err != nil || len(left) != 2 || left[0].Key == "k1" || left[1].Key == "k1" {
		t.Errorf("%+v are owed: %v", left, err)
	}
}
