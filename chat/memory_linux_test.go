package chat

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgechat/internal/faultydisk"
)

// A message that is in memory alone, since the card is full, is 202 and no durable ack.
func TestInMemoryAlone(t *testing.T) {
	dir := faultydisk.New(t, 32<<20).Dir // a real file system: nothing is durable on one in memory
	r := newRig(t, func(s *setup) {
		s.store.Path, s.store.History = filepath.Join(dir, "edgechat.db"), 10_000
		s.store.RetryDelay, s.store.CommitBytes = 10*time.Millisecond, 64<<10
	})
	c := r.room("den", "username=ann", jsonHeader)
	c.JSONOf("joined")
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 32<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("32 MiB in less than 32 MiB: %v", err)
	}
	for n, body := 0, strings.Repeat("x", 4000); r.store.Ready() == nil; n++ {
		if n > 5000 {
			t.Fatal("a full card holds 20 MB")
		}
		r.say("other", body)
		time.Sleep(time.Millisecond)
	}
	status, _, answer := r.do("POST", "/chat/room/den/messages", "x")
	if status != 202 {
		t.Errorf("POST: %d %s, want 202", status, answer)
	}
	c.Text(`{"type":"message","content":"x","idempotency_key":"k"}`)
	if m := c.JSONOf("ack"); m["durable"] != false || m["offset"] != 2.0 {
		t.Errorf("ack %v", m)
	}
	// Once there is room all of it reaches the disk: what is left over would fail the rig's end.
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the store recovers", func() bool { return r.store.Ready() == nil })
	if status, _, answer := r.do("POST", "/chat/room/den/messages", "x"); status != 201 {
		t.Errorf("POST once there is room: %d %s, want 201", status, answer)
	}
}
