package hub

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"edgechat/codec"
)

// A peer is a sink that can be paused, and whose peer takes so many bytes in each interval.
type peer struct {
	sink
	pauses atomic.Int32 // that are not ended
	stop   chan struct{}
}

func (s *peer) Pause()  { s.pauses.Add(1) }
func (s *peer) Resume() { s.pauses.Add(-1) }

func reads(t *testing.T, h *Hub, bytes int, interval time.Duration) *peer {
	s := &peer{stop: make(chan struct{})}
	s.attach(enter(t, h, "den", s, Join{Username: "ann"}).Member)
	go func() { // until leave
		for {
			select {
			case <-s.stop:
				return
			case <-time.After(interval):
				s.more(bytes)
			}
		}
	}()
	return s
}

func (s *peer) leave() {
	close(s.stop)
	s.sink.leave()
}

// TestGate: a publisher without a pause is slowed to the pace of those who read, of whom
// nobody falls out of the room's log. Who reads nothing, or a little now and then,
// is not waited for long, and not again soon.
func TestGate(t *testing.T) {
	const n, size, interval = 20_000, 64 << 10, 100 * time.Millisecond
	line := "a m 10000 ann 10000" + strings.Repeat("x", 100)
	pace := time.Duration(n*len(line)/size) * interval // what two who read take
	for _, test := range []struct {
		name     string
		bytes    int // that a third takes in each interval
		interval time.Duration
		lost     uint64
		held     time.Duration // the others, at most, in ten seconds
	}{
		{"as fast as the others", size, interval, 0, 0},
		{"nothing", 0, time.Hour, 1, 700 * time.Millisecond},
		{"little", 200, 50 * time.Millisecond, 1, 2200 * time.Millisecond},
		{"one message in nine seconds", 200, 9 * time.Second, 1, 700 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHub(t, Config{Log: newPlainLog(200)})
				readers := []*peer{reads(t, h, size, interval), reads(t, h, size, interval), reads(t, h, test.bytes, test.interval)}
				publisher := reads(t, h, endless/1000, time.Millisecond)
				began, most := time.Now(), 0
				for i := 0; i < n; {
					if publisher.pauses.Load() > 0 {
						time.Sleep(time.Millisecond)
						continue
					}
					if err := publisher.m.Publish(fmt.Sprintf("%d %s", i+1, strings.Repeat("x", 100)), 0, "", codec.Done{}); err != nil {
						t.Fatal(err)
					}
					i++
					most = max(most, held(h))
				}
				took := time.Since(began)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				for _, s := range readers[:2] {
					checkOffsets(t, s.lines("joined", "left"), 1, n)
				}
				s := h.Stats()
				if s.Lost > test.lost || test.lost == 0 && s.Lagged > 0 || s.Slowed == 0 {
					t.Errorf("%+v", s)
				}
				if limit := pace + pace/10 + test.held*(1+pace/(10*time.Second)); took > limit || took < pace*8/10 {
					t.Errorf("it took %v to say all, want %v to %v", took, pace*8/10, limit)
				}
				if most > 2*h.cfg.LogBytes+chunkMax {
					t.Errorf("the log held %d bytes", most)
				}
				t.Logf("%v of %v; %+v", took, pace, s)
				for _, s := range append(readers, publisher) {
					s.leave()
				}
			})
		})
	}
}

// held returns the bytes that the room's log holds.
func held(h *Hub) int {
	r := h.find("den")
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.logs[0].size
}

// TestPublishWaits: a publisher who is no member waits for those who read, and who leaves
// sets free those who were paused for him.
func TestPublishWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, Config{LogBytes: 2 << 10})
		slow, publisher := &peer{stop: make(chan struct{})}, reads(t, h, endless/1000, time.Millisecond)
		slow.attach(enter(t, h, "den", slow, Join{Username: "slow"}).Member)
		time.Sleep(time.Second) // the publisher's peer reads now
		for publisher.pauses.Load() == 0 {
			synctest.Wait()
			if err := publisher.m.Publish("x", 0, "", codec.Done{}); err != nil {
				t.Fatal(err)
			}
		}
		said := make(chan struct{})
		go func() { say(t, h, "den", "y"); close(said) }()
		synctest.Wait()
		select {
		case <-said:
			t.Error("the publisher did not wait")
		default:
		}
		slow.leave()
		synctest.Wait()
		if publisher.pauses.Load() > 0 {
			t.Error("the publisher is paused for somebody who has left")
		}
		<-said
		publisher.leave()
	})
}

// A latePeer does something before it is paused.
type latePeer struct {
	peer
	before func()
}

func (s *latePeer) Pause() {
	s.before()
	s.peer.Pause()
}

// TestPausesPair: whoever is paused while the gate opens is resumed once: the connection counts
// its pauses, since another room may have paused it too.
func TestPausesPair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t, Config{LogBytes: 2 << 10})
		slow := &peer{stop: make(chan struct{})}
		slow.attach(enter(t, h, "den", slow, Join{Username: "slow"}).Member)
		publisher, paused := &latePeer{peer: peer{stop: make(chan struct{})}}, false
		publisher.before = func() {
			paused = true
			slow.leave()
			synctest.Wait() // the gate has opened, and who is in it was resumed
		}
		publisher.attach(enter(t, h, "den", publisher, Join{Username: "ann"}).Member)
		publisher.more(endless)
		for !paused {
			if err := publisher.m.Publish("x", 0, "", codec.Done{}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if n := publisher.pauses.Load(); n != 0 {
			t.Errorf("paused %d times more than resumed", n)
		}
		publisher.leave()
	})
}

// A brokenLog cannot read.
type brokenLog struct{ *plainLog }

func (brokenLog) Read(string, codec.Query) (codec.Page, error) {
	return codec.Page{}, errors.New("the card is gone")
}

// TestJoinFails: ready hears of an error of the Log, and the member has left.
func TestJoinFails(t *testing.T) {
	h := newHub(t, Config{Log: brokenLog{newPlainLog(10)}})
	failed := make(chan error, 2)
	m := h.Join("den", &sink{}, Join{Username: "ann", Replay: true}, func(_ Joined, err error) { failed <- err })
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "the card is gone") {
		t.Errorf("ready got %v", err)
	}
	if s := h.Stats(); s.Members != 0 {
		t.Errorf("%+v", s)
	}
	m.Leave() // does nothing
	if _, err := h.History(t.Context(), "den", codec.Query{}); err == nil || !strings.Contains(err.Error(), "the card is gone") {
		t.Errorf("a history: %v", err)
	}
}
