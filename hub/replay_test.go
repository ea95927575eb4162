package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"edgechat/codec"
)

// TestPagesBounded: a hundred members that have a large history replayed and take nothing hold no
// more than Config.PageBytes, nor does the reading of it; whoever takes again gets everything.
func TestPagesBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const messages, size, members, limit = 100, 4 << 10, 100, 1 << 20
		log := newPlainLog(messages)
		h := newHub(t, Config{Log: log, PageBytes: limit})
		for i := range messages {
			say(t, h, "den", fmt.Sprintf("%d %s", i+1, strings.Repeat("x", size)))
		}
		var mu sync.Mutex
		read := 0
		log.read = func(page *codec.Page) {
			mu.Lock()
			defer mu.Unlock()
			sum := 0
			for _, m := range page.Messages {
				sum += len(m.Content)
			}
			read = max(read, sum)
		}
		sinks := make([]*sink, members)
		for i := range sinks {
			sinks[i] = &sink{room: 10 << 10}
			s := sinks[i]
			s.attach(h.Join("den", s, Join{Username: "ann", Replay: true}, nil))
			if got := h.Stats().Pages; got > limit {
				t.Fatalf("%d bytes of pages", got)
			}
		}
		synctest.Wait()
		s := h.Stats()
		if s.Pages > limit || s.Pages < limit/2 || s.Recalled == 0 {
			t.Errorf("%d bytes of pages, %d recalled", s.Pages, s.Recalled)
		}
		if read > 2*pageBytes {
			t.Errorf("%d bytes were read at once", read)
		}
		for _, s := range sinks {
			s.more(endless / 2)
		}
		synctest.Wait()
		for _, s := range sinks {
			checkOffsets(t, s.lines("joined", "left"), 1, messages)
			s.leave()
		}
	})
}

// TestJoinWaitsForNobody: while the Log does not answer, Join returns, nothing is pending, and who leaves
// is gone at once and hears no more.
func TestJoinWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newPlainLog(10)
		answer := make(chan struct{})
		log.slow = func() { <-answer }
		h := newHub(t, Config{Log: log})
		said := 0
		sinks := make([]*sink, 300)
		for i := range sinks {
			s := &sink{room: endless}
			sinks[i] = s
			s.attach(h.Join("den", s, Join{Username: "ann", Replay: true}, func(Joined, error) { said++ }))
		}
		synctest.Wait()
		if got := sinks[0].lines(); len(got) != 0 || said != 0 {
			t.Errorf("before the Log has answered: %q, ready %d times", got, said)
		}
		for _, s := range sinks {
			s.leave()
		}
		if s := h.Stats(); s.Members != 0 {
			t.Errorf("%+v", s)
		}
		close(answer)
		synctest.Wait()
		if said != 0 {
			t.Errorf("ready was called for %d that have left", said)
		}
	})
}

// TestLeftWhileRead: who leaves a room while what he has missed there is looked for in vain is not closed for that: his
// connection may be in other rooms, and goes on there.
func TestLeftWhileRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newPlainLog(5)
		h := newHub(t, Config{Log: log, LogBytes: 2 << 10})
		s := &sink{}
		s.attach(enter(t, h, "den", s, Join{Username: "ann"}).Member)
		answer := make(chan struct{})
		log.slow = func() { <-answer }
		for i := range 200 {
			say(t, h, "den", fmt.Sprint(i+1, " ", strings.Repeat("x", 100)))
		}
		synctest.Wait()
		if s := h.Stats(); s.Lagged != 1 {
			t.Fatalf("%+v", s)
		}
		s.leave()
		close(answer)
		synctest.Wait()
		if code, s := s.closed(), h.Stats(); code != 0 || s.Lost != 0 {
			t.Errorf("closed with %d, %+v", code, s)
		}
	})
}

// TestQuiet: nobody hears of a quiet member, which hears of everything.
func TestQuiet(t *testing.T) {
	h := newHub(t, Config{})
	a, q := &sink{room: endless}, &sink{room: endless}
	if p := join(t, h, "den", q, Join{Username: "quiet", Quiet: true}); p.Members != 0 {
		t.Errorf("%+v", p.Joined)
	}
	if rooms := h.Rooms(); len(rooms) != 0 {
		t.Errorf("rooms %+v", rooms)
	}
	if p := join(t, h, "den", a, Join{Username: "ann"}); p.Members != 1 {
		t.Errorf("%+v", p.Joined)
	}
	q.m.Typing()
	if err := q.m.Publish("hello", 0, "", codec.Done{}); err != nil {
		t.Fatal(err)
	}
	a.await(t, "hello")
	q.await(t, "hello")
	if got := h.Members("den"); len(got) != 1 || got[0].Username != "ann" {
		t.Errorf("members %+v", got)
	}
	if s := h.Stats(); s.Members != 1 || s.Quiet != 1 {
		t.Errorf("%+v", s)
	}
	q.leave()
	a.m.Typing()
	a.await(t, "typing ann")
	if got := strings.Join(a.lines(), "|"); got != "a joined ann|a m 1 quiet hello|a typing ann" {
		t.Errorf("ann got %q", got)
	}
	if got := strings.Join(q.lines(), "|"); got != "a joined ann|a m 1 quiet hello" {
		t.Errorf("the quiet one got %q", got)
	}
	a.leave()
}

// TestHistory: every kind of query finds what a single Read finds, in small pieces; who comes when
// as many read and wait as may gets ErrBusy, and who gives up waits no more.
func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := newPlainLog(100)
		h := newHub(t, Config{Log: log, HistoryReads: 1, HistoryQueue: 1})
		for i := range 150 {
			say(t, h, "den", fmt.Sprintf("%d %s", i+1, strings.Repeat("x", i*30)))
		}
		id := func(n uint64) *codec.ID { return &codec.ID{Epoch: "e", Offset: n} }
		for _, test := range []struct {
			q           codec.Query
			first, last uint64
			recovered   bool
		}{
			{codec.Query{}, 51, 150, true},
			{codec.Query{Limit: 10, Newest: true}, 141, 150, true},
			{codec.Query{After: id(60)}, 61, 150, true},
			{codec.Query{After: id(60), Limit: 20, Newest: true}, 131, 150, false},
			{codec.Query{After: id(60), Limit: 20}, 61, 80, true},
			{codec.Query{After: id(150)}, 1, 0, true},
			{codec.Query{After: id(20), Limit: 30, Newest: true}, 121, 150, false},
		} {
			x, err := h.History(t.Context(), "den", test.q)
			if err != nil {
				t.Fatal(err)
			}
			next := test.first
			for piece, err := range x.Pieces() {
				size := 0
				for i := range piece {
					if piece[i].ID.Offset != next {
						t.Fatalf("%+v: %d instead of %d", test.q, piece[i].ID.Offset, next)
					}
					next++
					size += sizeOf(&piece[i])
				}
				if err != nil || size > pageBytes+sizeOf(&piece[len(piece)-1]) {
					t.Fatalf("%+v: a piece of %d bytes, %v", test.q, size, err)
				}
			}
			if next != test.last+1 && test.last > 0 || x.Recovered != test.recovered || x.Head.Offset != 150 || x.Oldest.Offset != 51 ||
				uint64(x.Count) != next-test.first {
				t.Errorf("%+v: up to %d, %+v", test.q, next-1, x)
			}
			x.Close()
		}

		x, err := h.History(t.Context(), "den", codec.Query{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		waited := make(chan error, 1)
		go func() { _, err := h.History(ctx, "den", codec.Query{}); waited <- err }()
		synctest.Wait()
		if _, err := h.History(t.Context(), "den", codec.Query{}); !errors.Is(err, ErrBusy) || h.Stats().Busy != 1 {
			t.Errorf("one over the bound: %v, %+v", err, h.Stats())
		}
		cancel()
		if err := <-waited; !errors.Is(err, context.Canceled) {
			t.Errorf("who gave up: %v", err)
		}
		x.Close()
		x.Close() // does nothing
	})
}
