package chat

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/internal/edgetest"
)

var (
	joins  = flag.Int("joins", 1000, "how many clients join under full traffic")
	cycles = flag.Int("cycles", 10_000, "how many members come and go")
)

// TestJoinUnderTraffic has clients join, in both formats, with and without a
// cursor, while a publisher is as fast as the server lets it be. What each
// receives is the replay and then live: no gap, no duplicate, in order.
func TestJoinUnderTraffic(t *testing.T) {
	r := newRig(t, func(s *setup) {
		s.store.History = 1_000_000
		s.store.HistoryBytes = 1 << 30
		s.chat.ReplayLimit = 1_000_000
	})
	stop := make(chan struct{})
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-stop:
				return
			default:
				r.say("den", fmt.Sprintf("<no. %d>", n)) // the content is the offset
			}
			if n%8 == 0 {
				time.Sleep(500 * time.Microsecond)
			}
		}
	})
	epoch := r.store.Head("den").Epoch
	var clients sync.WaitGroup
	for g := range 4 {
		clients.Go(func() {
			for i := range *joins / 4 {
				head := r.store.Head("den").Offset
				query, first := "", uint64(0) // 0: any
				if i%5 > 0 {
					back := min(head, rand.Uint64N(300))
					query, first = "since="+codec.ID{Epoch: epoch, Offset: head - back}.String(), head-back+1
				}
				header, opcode := jsonHeader, byte(edgetest.OpText)
				if (g+i)%2 == 1 {
					header, opcode = msgpackHeader, edgetest.OpBinary
				}
				c := r.room("den", query, header)
				subscribed := c.Expect(opcode)
				if first > 0 && !bytes.Contains(subscribed, []byte("recovered\":true")) && !bytes.Contains(subscribed, []byte("recovered\xc3")) {
					t.Errorf("not recovered: %q", subscribed)
				}
				checkStream(t, c, opcode, first, 400)
				_ = c.Conn.Close()
			}
		})
	}
	clients.Wait()
	close(stop)
	publisher.Wait()
	t.Logf("%d joins beside %d messages; %+v", *joins, r.store.Head("den").Offset, r.hub.Stats())
}

// checkStream reads n messages and fails unless they are numbered without a gap
// from first on, and hold what was said under that number.
func checkStream(t *testing.T, c *edgetest.Client, opcode byte, first uint64, n int) {
	t.Helper()
	for n > 0 {
		p := c.Expect(opcode)
		_, rest, found := bytes.Cut(p, []byte("<no. "))
		if !found {
			continue // joined, left
		}
		digits, _, _ := bytes.Cut(rest, []byte(">"))
		content, err := strconv.ParseUint(string(digits), 10, 64)
		if err != nil {
			t.Fatalf("frame %q", p)
		}
		if first == 0 {
			first = content
		}
		if content != first || !bytes.Contains(p, fmt.Appendf(nil, "-%d", content)) {
			t.Errorf("%q came instead of message %d", p, first)
			return
		}
		first++
		n--
	}
}

// TestSlowClients: clients that read nothing until all is said, or in fits,
// fall out of the room's log, go on from the store, and miss nothing.
func TestSlowClients(t *testing.T) {
	r := newRig(t, func(s *setup) { s.store.History = 100_000; s.store.HistoryBytes = 1 << 30 })
	var clients sync.WaitGroup
	said := make(chan struct{})
	const n = 10_000
	for i := range 4 {
		c := r.room("den", "", jsonHeader)
		c.JSONOf("subscribed")
		if err := c.Conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
			t.Fatal(err)
		}
		clients.Go(func() {
			if i < 2 {
				<-said
			}
			for first := uint64(1); first <= n; {
				batch := min(rand.Uint64N(2000)+1, n+1-first)
				checkStream(t, c, edgetest.OpText, first, int(batch))
				if t.Failed() {
					return
				}
				first += batch
				time.Sleep(time.Duration(i) * 3 * time.Millisecond)
			}
		})
	}
	for i := range n {
		r.say("den", fmt.Sprintf("<no. %d>", i+1))
	}
	close(said)
	clients.Wait()
	if s := r.hub.Stats(); s.Lagged < 2 || s.Lost != 0 {
		t.Errorf("two at least were to fall out, and nobody to be lost: %+v", s)
	}
}

// TestTenthOfThePace: a client that reads one message while the others read ten
// holds nobody up, falls out of the room's log, and in the end has everything.
func TestTenthOfThePace(t *testing.T) {
	r := newRig(t, func(s *setup) { s.store.History = 100_000; s.store.HistoryBytes = 1 << 30 })
	const n, step = 6000, 20
	slow := r.room("den", "", jsonHeader)
	slow.JSONOf("subscribed")
	// Less than a segment of the loopback's, and TCP itself would wait (RFC 9293 section 3.8.6.2).
	if err := slow.Conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	var read atomic.Uint64 // by the one of the others that is furthest
	for range 8 {
		c := r.room("den", "", jsonHeader)
		c.JSONOf("subscribed")
		clients.Go(func() {
			for first := uint64(1); first <= n && !t.Failed(); first += step {
				checkStream(t, c, edgetest.OpText, first, step)
				read.Store(max(read.Load(), first+step-1))
			}
		})
	}
	behind := make(chan uint64, 1)
	go func() { // ends with the messages
		for i := range n {
			for uint64(i) > read.Load()+100 && !t.Failed() { // a pace that the others keep
				time.Sleep(100 * time.Microsecond)
			}
			r.say("den", fmt.Sprintf("<no. %d>%s", i+1, strings.Repeat("x", 1000)))
		}
		clients.Wait()
		behind <- r.hub.Stats().Lagged
	}()
	first := uint64(1)
	for ; first <= n/10; first += step {
		for read.Load() < 10*first && !t.Failed() {
			time.Sleep(time.Millisecond)
		}
		checkStream(t, slow, edgetest.OpText, first, step)
	}
	if lagged := <-behind; lagged == 0 {
		t.Error("the slow one did not fall out of the log")
	}
	checkStream(t, slow, edgetest.OpText, first, int(n+1-first))
	if s := r.hub.Stats(); s.Lost != 0 || r.rt.Stats().Slow != 0 {
		t.Errorf("somebody was lost or closed: %+v %+v", s, r.rt.Stats())
	}
}

// TestComeAndGo: members that connect, talk and leave ten thousand times leave
// no room and no connection behind. TestMain looks for goroutines.
func TestComeAndGo(t *testing.T) {
	r := newRig(t, func(s *setup) { s.store.History = 10 })
	const at = 20
	var clients sync.WaitGroup
	for g := range at {
		clients.Go(func() {
			for i := range *cycles / at {
				header, opcode := jsonHeader, byte(edgetest.OpText)
				message := edgetest.Frame(edgetest.OpText, []byte(`{"type":"message","content":"hi"}`))
				if i%2 == 1 {
					header, opcode = msgpackHeader, edgetest.OpBinary
					message = edgetest.Frame(edgetest.OpBinary, []byte("\x82\xa4type\xa7message\xa7content\xa2hi"))
				}
				c := r.room(fmt.Sprintf("room%d", g%5), "", header)
				c.Raw(message)
				for !bytes.Contains(c.Expect(opcode), []byte("content")) {
				}
				if i%3 == 0 {
					_ = c.Conn.Close() // without a word
				} else {
					c.Close()
				}
			}
		})
	}
	clients.Wait()
	eventually(t, "all have left", func() bool {
		return r.rt.Stats().Open == 0 && r.hub.Stats().Members == 0 && r.hub.Stats().Rooms == 0
	})
	if s := r.hub.Stats(); s.Joins != uint64(*cycles/at*at) {
		t.Errorf("%d joins", s.Joins)
	}
}
