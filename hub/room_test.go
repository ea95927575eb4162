package hub

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgechat/codec"
	"edgechat/refusal"
)

func TestTalk(t *testing.T) {
	h := newHub(t, Config{})
	a, b := &sink{room: endless}, &sink{room: endless}
	ja := join(t, h, "den", a, Join{Username: "ann"})
	if ja.Members != 1 || ja.Head != (codec.ID{Epoch: "e"}) || ja.Oldest.Offset != 0 || !ja.Recovered {
		t.Errorf("ann joined: %+v", ja)
	}
	a.await(t, "joined ann")
	say(t, h, "den", "one")
	jb := join(t, h, "den", b, Join{Username: "bob", Format: 1})
	if jb.Members != 2 || jb.Head.Offset != 1 || jb.Oldest.Offset != 1 {
		t.Errorf("bob joined: %+v", jb)
	}
	if err := jb.Member.Publish("two", 0, "", codec.Done{}); err != nil {
		t.Fatal(err)
	}
	say(t, h, "elsewhere", "unheard")
	jb.Member.Typing()
	jb.Member.Typing() // too soon
	b.await(t, "typing bob")
	members := h.Members("den")
	if len(members) != 2 || members[0].Username != "ann" || members[1].Connections != 1 {
		t.Errorf("members %+v", members)
	}
	if rooms := h.Rooms(); len(rooms) != 1 || rooms[0].Name != "den" || rooms[0].Members != 2 || rooms[0].ID.Offset != 2 {
		t.Errorf("rooms %+v", rooms)
	}
	b.leave()
	jb.Member.Leave() // again
	a.await(t, "left bob")
	a.leave()
	want := []string{"a joined ann", "a m 1 x one", "a joined bob", "a m 2 bob two", "a typing bob", "a left bob"}
	if got := a.lines(); !slices.Equal(got, want) {
		t.Errorf("ann got %q, want %q", got, want)
	}
	want = []string{"b joined bob", "b m 2 bob two", "b typing bob"}
	if got := b.lines(); !slices.Equal(got, want) {
		t.Errorf("bob got %q, want %q", got, want)
	}
	if s := h.Stats(); s.Typing != 1 || s.Joins != 2 {
		t.Errorf("stats %+v", s)
	}
}

func TestTypingInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, Config{})
		s := &sink{room: endless}
		m := join(t, h, "den", s, Join{Username: "ann"}).Member
		for range 50 { // 5 s
			m.Typing()
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		if got := s.lines("joined"); len(got) != 5 {
			t.Errorf("%d typing events in 5 s", len(got))
		}
		s.leave()
	})
}

// TestCool: a room that has gone silent keeps no chunk, and goes on where it
// was.
func TestCool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, Config{})
		s := &sink{room: endless}
		join(t, h, "den", s, Join{Username: "ann"})
		chunks := func() int {
			synctest.Wait()
			r := h.find("den")
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.logs[0].chunks)
		}
		for i := range 3 {
			say(t, h, "den", fmt.Sprint(2*i+1))
			if chunks() != 1 {
				t.Error("the chunk was not kept for what comes next")
			}
			time.Sleep(coolAfter / 2)
			say(t, h, "den", fmt.Sprint(2*i+2))
			time.Sleep(coolAfter - time.Millisecond)
			if chunks() != 1 {
				t.Error("freed while it was used")
			}
			time.Sleep(coolAfter)
			if n := chunks(); n != 0 {
				t.Errorf("%d chunks in a silent room", n)
			}
		}
		s.leave()
		checkOffsets(t, s.lines("joined", "left"), 1, 6)
	})
}

// TestJoinUnderTraffic has members join with and without a cursor while others
// publish as fast as they can: no gap, no duplicate, in order.
func TestJoinUnderTraffic(t *testing.T) {
	log := newPlainLog(1 << 30)
	h := newHub(t, Config{Log: log, LogBytes: 4 << 10})
	stop := make(chan struct{})
	var publishers sync.WaitGroup
	var mu sync.Mutex // numbers the contents as the log will number the messages
	var n uint64
	for range 3 {
		publishers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				mu.Lock()
				n++
				err := h.Publish("den", codec.Message{Username: "x", Content: fmt.Sprint(n)}, "", codec.Done{})
				mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				runtime.Gosched()
			}
		})
	}
	for i := range 300 {
		s := &sink{room: endless, notify: func(*sink) {}}
		slow := i%3 == 0
		if slow {
			s.room = someBytes()
		}
		head := log.Head("den").Offset
		j := Join{Username: "ann", Format: i % 2}
		first := uint64(0)
		if i%4 > 0 {
			back := min(head, rand.Uint64N(200))
			j.Replay, j.Since = true, &codec.ID{Epoch: "e", Offset: head - back}
			first = head - back + 1
		}
		joined := join(t, h, "den", s, j)
		if first == 0 {
			first = joined.Head.Offset + 1
		}
		if !joined.Recovered {
			t.Fatal("not recovered")
		}
		for slow && len(s.lines()) < 50 {
			s.more(someBytes())
		}
		s.more(endless / 2)
		for len(s.lines("joined", "left")) < 250 {
			time.Sleep(100 * time.Microsecond)
		}
		s.leave()
		got := s.lines("joined", "left")
		checkOffsets(t, got, first, first+uint64(len(got))-1)
	}
	close(stop)
	publishers.Wait()
}

// TestLoadMeetsDelivery: a message that was numbered before the room was made
// and is delivered after is not taken for live.
func TestLoadMeetsDelivery(t *testing.T) {
	for range 2000 {
		h := newHub(t, Config{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range 5 {
				say(t, h, "den", fmt.Sprint(i+1))
			}
		})
		s := &sink{room: endless}
		join(t, h, "den", s, Join{Username: "ann", Replay: true})
		wg.Wait()
		s.await(t, " m 5 ")
		s.leave()
		checkOffsets(t, s.lines("joined", "left"), 1, 5)
	}
}

// TestFallsOut: a member that takes nothing while the log wraps goes on from
// the Log when it takes again; the others do not wait for it.
func TestFallsOut(t *testing.T) {
	h := newHub(t, Config{LogBytes: 2 << 10})
	fast, slow := &sink{room: endless}, &sink{room: 100}
	join(t, h, "den", fast, Join{Username: "fast"})
	join(t, h, "den", slow, Join{Username: "slow"})
	const n = 900
	for i := range n {
		say(t, h, "den", fmt.Sprint(i+1))
	}
	fast.await(t, fmt.Sprintf(" m %d ", n))
	if len(slow.lines()) > 10 {
		t.Fatal("slow is not slow")
	}
	slow.more(5000) // part of what it missed
	for len(slow.lines()) < 100 {
		time.Sleep(time.Millisecond)
	}
	slow.more(endless / 2)
	slow.await(t, fmt.Sprintf(" m %d ", n))
	say(t, h, "den", fmt.Sprint(n+1))
	slow.await(t, fmt.Sprintf(" m %d ", n+1))
	checkOffsets(t, slow.lines("joined"), 1, n+1)
	if s := h.Stats(); s.Lagged == 0 || s.Lost != 0 {
		t.Errorf("stats %+v", s)
	}
	fast.leave()
	slow.leave()
	checkOffsets(t, fast.lines("joined", "left"), 1, n+1)
}

// TestLost: when the Log no longer has what a member missed, it is closed with 1013.
// There is never a silent gap.
func TestLost(t *testing.T) {
	h := newHub(t, Config{Log: newPlainLog(10), LogBytes: 2 << 10})
	s := &sink{room: 100}
	join(t, h, "den", s, Join{Username: "slow"})
	for i := range 500 {
		say(t, h, "den", fmt.Sprint(i+1))
	}
	s.more(endless / 2)
	for end := time.Now().Add(5 * time.Second); s.closed() == 0 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if s.closed() != refusal.CloseTryAgainLater || h.Stats().Lost != 1 {
		t.Errorf("closed with %d, stats %+v", s.closed(), h.Stats())
	}
	got := s.lines("joined")
	checkOffsets(t, got, 1, uint64(len(got)))
	s.leave()
}

// TestComeAndGo: ten thousand members that join, talk and leave at once leave no room,
// goroutine or byte behind.
func TestComeAndGo(t *testing.T) {
	log := newPlainLog(10)
	h := newHub(t, Config{Log: log})
	round := func(n int) {
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range n / 8 {
					s := &sink{room: endless}
					m := join(t, h, fmt.Sprintf("room%d", (g+i)%5), s, Join{Username: "ann", Format: i % 2}).Member
					if err := m.Publish(fmt.Sprint(i), 0, "", codec.Done{}); err != nil {
						t.Error(err)
					}
					s.leave()
				}
			})
		}
		wg.Wait()
		h.Close()
	}
	heap := func() uint64 {
		for range 3 { // a sync.Pool keeps what it has over two
			runtime.GC()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	round(1000)
	before := heap()
	round(10_000)
	if s := h.Stats(); s.Rooms != 0 || s.Members != 0 {
		t.Errorf("left over: %+v", s)
	}
	// The runtime's own share moves by some 100 KB; 52 bytes a member would show.
	const limit = 512 << 10
	after := heap()
	for tries := 0; after > before+limit && tries < 20; tries++ { // what other tests left may still end
		time.Sleep(50 * time.Millisecond)
		after = heap()
	}
	if after > before+limit {
		t.Errorf("the heap grew by %d bytes", after-before)
	}
}
