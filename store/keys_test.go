package store

import (
	"path/filepath"
	"testing"

	"edgechat/codec"
)

func TestKeys(t *testing.T) {
	cfg := Config{Path: filepath.Join(t.TempDir(), "edgechat.db"), History: 3}
	s := open(t, cfg)
	delivered := 0
	s.Deliver(func(string, *codec.Message) { delivered++ }, nil)
	first := sayStored(t, s, "den", "hello", "k")
	again := func(what string) {
		t.Helper()
		r := sayStored(t, s, "den", "hello again", "k")
		want(t, what, r, first)
	}
	again("stored")
	want(t, "delivered", delivered, 1)
	if r := sayStored(t, s, "hall", "hello", "k"); r.ID.Offset != 1 || delivered != 2 {
		t.Errorf("the same key in another room: %+v, %d delivered", r, delivered)
	}
	say(t, s, "den", "1")
	closeStore(t, s)
	s = open(t, cfg)
	again("after a restart")
	next := crash(t, s, cfg)
	closeStore(t, s)
	s = next
	again("after a crash")
	want(t, "messages", read(t, s, "den", codec.Query{}), "hello 1")

	say(t, s, "den", "2")
	again("still in the buffer")
	say(t, s, "den", "3")
	r := sayStored(t, s, "den", "anew", "k")
	want(t, "offset once the original left the buffer", r.ID.Offset, 5)
	want(t, "messages", read(t, s, "den", codec.Query{}), "2 3 anew")
	if n := len(s.rooms["den"].keys); n != 1 {
		t.Errorf("%d keys are kept", n)
	}
}

// TestKeyPending: the receipt of a message that is said twice comes with its commit.
func TestKeyPending(t *testing.T) {
	var g gate
	s := open(t, Config{aroundCommit: g.around})
	g.close(t)
	done := make(chan codec.Receipt, 2)
	told := func(r codec.Receipt) { done <- r }
	id, _ := s.appended("den", codec.Message{Content: "x"}, "k", told)
	<-g.started // the first is being written, and the second asks for it
	twice, _ := s.appended("den", codec.Message{Content: "y"}, "k", told)
	want(t, "id", twice, id)
	if len(done) > 0 {
		t.Error("a receipt before the commit")
	}
	g.release()
	for range 2 {
		want(t, "receipt", <-done, codec.Receipt{ID: id, Durable: true})
	}
	want(t, "messages", read(t, s, "den", codec.Query{}), "x")
}
