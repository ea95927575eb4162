package store

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"edgechat/codec"
)

// TestOwed: what is owed is there after a restart, until it is owed no more; half a file is told.
func TestOwed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edgechat.db")
	open := func() *Follower {
		f, err := OpenFollower(Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		return f
	}
	f := open()
	if list, err := f.Owed(); len(list) > 0 || err != nil {
		t.Fatal(list, err)
	}
	var records []codec.Record
	for _, key := range []string{"a", "b"} {
		records = append(records, codec.Record{Room: "room", Key: key, Message: codec.Message{Username: "ann", Content: "says " + key, Time: 7}})
	}
	if err := f.Owe(records); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = open()
	if list, err := f.Owed(); !reflect.DeepEqual(list, records) || err != nil {
		t.Errorf("owed are %v %v, want %v", list, err, records)
	}
	b, err := os.ReadFile(path + owedSuffix)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+owedSuffix, b[:len(b)-1], 0o600); err != nil {
		t.Fatal(err)
	}
	if list, err := f.Owed(); len(list) != 1 || err == nil {
		t.Errorf("of a file that was cut: %v %v", list, err)
	}
	for range 2 {
		if err := f.Owe(nil); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := f.Owed(); len(list) > 0 || err != nil {
		t.Error(list, err)
	}
}
