package store

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"edgechat/codec"
)

// TestHandOver reads while messages move from memory to the file and out of the
// buffer: a reader that follows finds each message, once, in order.
func TestHandOver(t *testing.T) {
	t.Parallel()
	const messages, readers, history = 4_000, 3, 300
	s := open(t, Config{SyncInterval: time.Millisecond, AckDelay: time.Microsecond, History: history, CommitBytes: 4 << 10, LogBytes: 128 << 10})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range readers {
		wg.Go(func() {
			cursor := s.Head("den")
			cursor.Offset = 0
			skipped := 0
			for {
				p, err := s.Read("den", codec.Query{After: &cursor, Limit: 50})
				if err != nil {
					t.Error(err)
					return
				}
				if !p.Recovered { // too slow: only what left the buffer may be missing
					skipped++
					if len(p.Messages) == 0 || p.Oldest.Offset <= cursor.Offset+1 {
						t.Errorf("after %s, oldest %s, head %s: not recovered, %d messages", cursor, p.Oldest, p.Head, len(p.Messages))
						return
					}
					cursor = p.Messages[0].ID
				}
				for i, m := range p.Messages {
					if !p.Recovered && i == 0 {
						continue
					}
					if m.ID.Offset != cursor.Offset+1 || m.Content != fmt.Sprint(m.ID.Offset) {
						t.Errorf("after %s: %s %q", cursor, m.ID, m.Content)
						return
					}
					cursor = m.ID
				}
				if len(p.Messages) == 0 && p.Head.Offset != cursor.Offset {
					t.Errorf("nothing after %s, but the head is %s", cursor, p.Head)
					return
				}
				select {
				case <-stop:
					if cursor == s.Head("den") {
						return
					}
				default:
				}
			}
		})
	}
	for i := range messages {
		say(t, s, "den", fmt.Sprint(i+1))
		say(t, s, fmt.Sprint("other", i%10), "x")
		if i%32 == 0 { // readers are to keep up most of the time
			time.Sleep(time.Millisecond)
		}
	}
	close(stop)
	wg.Wait()
	st := s.Stats()
	if st.Commits < 20 || st.Folds < 5 || st.Removed == 0 || st.Lost > 0 {
		t.Errorf("this tests nothing: %+v", st)
	}
	t.Logf("%d commits, %d removed, %d read again", st.Commits, st.Removed, st.Rereads)
}

// TestConcurrentAppend appends to the same rooms from many goroutines: offsets
// are given once, and delivered in order.
func TestConcurrentAppend(t *testing.T) {
	const rooms, writers, each = 3, 8, 500
	s := open(t, Config{History: 10_000, HistoryBytes: 64 << 20, SyncInterval: time.Millisecond})
	delivered := make(map[string]*uint64)
	for i := range rooms {
		delivered[fmt.Sprint("room", i)] = new(uint64)
	}
	s.Deliver(func(room string, m *codec.Message) {
		last := delivered[room] // one at a time within a room
		if m.ID.Offset != *last+1 {
			t.Errorf("%s: %d follows %d", room, m.ID.Offset, *last)
		}
		*last = m.ID.Offset
	}, nil)
	var wg, acks sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				acks.Add(1)
				room := fmt.Sprint("room", (w/2+i)%rooms)
				// Each key twice, by two writers.
				if _, err := s.appended(room, codec.Message{Content: "x"}, fmt.Sprint(w/2, i), func(r codec.Receipt) {
					if !r.Durable {
						t.Error("not durable")
					}
					acks.Done()
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	acks.Wait()
	total := uint64(0)
	for i := range rooms {
		room := fmt.Sprint("room", i)
		p := readPage(t, s, room, codec.Query{})
		if uint64(len(p.Messages)) != *delivered[room] {
			t.Errorf("%s: %d messages, %d delivered", room, len(p.Messages), *delivered[room])
		}
		total += *delivered[room]
	}
	if d := s.Stats().Duplicates; total+d != writers*each || d == 0 {
		t.Errorf("%d messages and %d duplicates of %d", total, d, writers*each)
	}
}

// TestMoved takes the messages of a page out of the file after the page was
// planned.
func TestMoved(t *testing.T) {
	s := open(t, Config{History: 5})
	sayAll(t, s, "den", 5)
	sayFolded(t, s, "hall", "x", "")
	p := s.plan("den", codec.Query{})
	sayAll(t, s, "den", 3)
	sayFolded(t, s, "hall", "y", "")
	want(t, "removed", s.Stats().Removed, 3)
	if err := s.fetch(p); err != errMoved {
		t.Errorf("fetch of messages that were removed: %v", err)
	}
	want(t, "read", read(t, s, "den", codec.Query{}), "3 4 0 1 2")
	want(t, "lost", s.Stats().Lost, 0)
}
