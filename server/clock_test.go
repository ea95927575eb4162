package server

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"edgechat/chat"
	"edgechat/codec"
	"edgechat/hub"
	"edgechat/store"
)

// A board without a clock battery begins in the past and jumps when it hears of the
// time. Chat goes on through the real store and hub under a clock that stands in the
// year 2000, goes 50 years ahead with a message waiting, and is back in the present
// after a restart: every receipt comes, offsets and the epoch go on, history is
// ordered and trimmed by numbers alone.
func TestClock(t *testing.T) {
	const history = 4
	path := filepath.Join(t.TempDir(), "edgechat.db")
	var ids []codec.ID
	begin := func(t *testing.T) (*store.Store, *hub.Hub) {
		s, err := store.Open(store.Config{Path: path, History: history})
		if err != nil {
			t.Fatal(err)
		}
		h, err := hub.New(hub.Config{Log: s, Formats: chat.Formats()})
		if err != nil {
			t.Fatal(err)
		}
		return s, h
	}
	say := func(t *testing.T, h *hub.Hub) {
		t.Helper()
		member := h.Join("den", deaf{}, hub.Join{Username: "u"}, nil)
		defer member.Leave()
		stored := make(chan codec.Receipt, 1)
		err := member.Publish(fmt.Sprint(len(ids)), 0, fmt.Sprint("key", len(ids)), codec.Done{Tell: func(r codec.Receipt) { stored <- r }})
		if err != nil {
			t.Fatal(err)
		}
		r := <-stored
		if !r.Durable || r.ID.Offset != uint64(len(ids)+1) {
			t.Errorf("receipt %+v of message %d", r, len(ids)+1)
		}
		ids = append(ids, r.ID)
	}
	check := func(t *testing.T, s *store.Store) {
		t.Helper()
		p, err := s.Read("den", codec.Query{})
		if err != nil {
			t.Fatal(err)
		}
		first := max(0, len(ids)-history)
		if len(p.Messages) != len(ids)-first {
			t.Fatalf("%d of %d messages are there, want %d", len(p.Messages), len(ids), len(ids)-first)
		}
		for i, m := range p.Messages {
			if n := first + i; m.Content != fmt.Sprint(n) || m.ID != ids[n] || m.ID.Offset != uint64(n+1) || m.ID.Epoch != ids[0].Epoch {
				t.Errorf("in place %d there is %+v, want message %d", i, m, n)
			}
		}
	}
	end := func(t *testing.T, s *store.Store, h *hub.Hub) {
		t.Helper()
		h.Close()
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) { // its clock begins in 2000
		s, h := begin(t)
		say(t, h)
		say(t, h)
		err := h.Publish("den", codec.Message{Username: "u", Content: fmt.Sprint(len(ids)), Time: time.Now().UnixMilli()}, "", codec.Done{})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, s.Head("den"))
		time.Sleep(50 * 365 * 24 * time.Hour)
		check(t, s)
		say(t, h)
		check(t, s)
		end(t, s, h)
	})
	for range 2 { // in the present
		s, h := begin(t)
		check(t, s)
		say(t, h)
		check(t, s)
		end(t, s, h)
	}
	s, h := begin(t)
	defer end(t, s, h)
	p, err := s.Read("den", codec.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var years []int
	for _, m := range p.Messages {
		years = append(years, time.UnixMilli(m.Time).UTC().Year())
	}
	if now := time.Now().UTC().Year(); !slices.Equal(years, []int{2000, 2049, now, now}) {
		t.Errorf("the messages are of %v: nothing was tested", years)
	}
}
