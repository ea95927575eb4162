package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/internal/faultydisk"
)

// TestDisplacedAcks has one client send more large messages than a room keeps, faster than a card whose
// flush takes 200 ms writes them, and kills the server: what was acknowledged is there, or
// what displaced it is. Messages that left the buffer before they were written filled a commit once, and
// their acks were told before what had displaced them was on disk.
func TestDisplacedAcks(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, rooms := range []int{1, 7} {
		t.Run(fmt.Sprint(rooms, " rooms"), func(t *testing.T) {
			t.Parallel()
			card := faultydisk.New(t, 256<<20)
			b := startBoard(t, card.Dir+"/data")
			card.Set(faultydisk.Flush, faultydisk.Fault{Delay: 200 * time.Millisecond})
			l := newLedger(t, 200) // the default of --history
			const enough = 3000    // acks
			padding := strings.Repeat("x", 3990)
			var given, promised atomic.Int64
			done := make(chan int, rooms)
			for i := range rooms {
				room := fmt.Sprint("room", i)
				c := edgetest.Dial(t, "http://"+b.addr+"/chat/room/"+room+"?username=x", "Sec-WebSocket-Protocol: edgechat.v1.json")
				window := make(chan struct{}, 30) // who reads more slowly than that is cut as too slow
				go func() {
					for n := 0; ; n++ { // until the kill
						select {
						case window <- struct{}{}:
						case <-t.Context().Done():
							return
						}
						text := fmt.Sprintf(`{"type":"message","content":"%d%s","idempotency_key":"%[1]d"}`, n, padding)
						if _, err := c.Conn.Write(edgetest.Frame(edgetest.OpText, []byte(text))); err != nil {
							return // the server was killed
						}
					}
				}()
				go func() {
					acked := 0
					for {
						op, p, err := c.Read()
						if err != nil {
							done <- acked
							return
						}
						if op != edgetest.OpText {
							continue
						}
						switch m, _ := decode(p); m.Type {
						case "error":
							t.Errorf("%s: %.200s", room, p)
						case "message":
							l.saw(room, m.ID, m.Content)
							given.Add(1)
							<-window
						case "ack":
							if m.Durable {
								l.acked(room, m.ID, m.Key+padding)
								acked++
								promised.Add(1)
							}
						}
					}
				}()
			}
			for end := time.Now().Add(5 * time.Minute); promised.Load() < enough; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%d messages were delivered and %d acknowledged in five minutes\n%s", given.Load(), promised.Load(), b.log)
				}
			}
			// Many acks come together, when the log is closed: the kill comes anywhere until it is again.
			time.Sleep(rand.N(2 * time.Second))
			b.kill()
			acked := 0
			for range rooms {
				acked += <-done
			}
			card.Mend()
			b = startBoard(t, b.data, "EDGECHAT_REPLAY_LIMIT=10000")
			l.check(b.addr, "after the kill")
			if t.Failed() {
				t.Logf("log:\n%s", b.log)
			}
			b.stop()
			t.Logf("%d messages were delivered, and %d acknowledged", given.Load(), acked)
		})
	}
}
