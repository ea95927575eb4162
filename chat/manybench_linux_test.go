package chat

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// BenchmarkRooms is what a delivery costs where sixteen rooms of ten members are 160 connections,
// or ten with all the rooms: processor time, the clients' included. docs/performance.md has the figures.
func BenchmarkRooms(b *testing.B) {
	const rooms, members = 16, 10
	for _, several := range []bool{false, true} {
		b.Run(map[bool]string{false: "one a connection", true: "sixteen a connection"}[several], func(b *testing.B) {
			r := newRig(b, func(s *setup) { s.store.SyncInterval = time.Hour })
			var got atomic.Int64
			var readers sync.WaitGroup
			listen := func(c *edgetest.Client) {
				c.Timeout = time.Hour
				b.Cleanup(func() { _ = c.Conn.Close() })
				readers.Go(func() {
					buf := make([]byte, 64<<10)
					for {
						n, err := c.Conn.Read(buf)
						if err != nil {
							return
						}
						got.Add(int64(strings.Count(string(buf[:n]), "|")))
					}
				})
			}
			for range members {
				if several {
					c := r.many("")
					for i := range rooms {
						c.Text(fmt.Sprintf(`{"type":"join","room":"room%d","announce":false}`, i))
						c.JSONOf("subscribed")
					}
					_ = c.Conn.SetDeadline(time.Time{})
					listen(c)
					continue
				}
				for i := range rooms {
					c := r.room(fmt.Sprintf("room%d", i), "announce=0", jsonHeader)
					c.JSONOf("subscribed")
					_ = c.Conn.SetDeadline(time.Time{})
					listen(c)
				}
			}
			content := strings.Repeat("x", 60) + "|"
			n, began := int64(0), processorTime()
			for b.Loop() {
				r.say(fmt.Sprintf("room%d", n%rooms), content)
				for n++; got.Load() < n*members; {
					time.Sleep(20 * time.Microsecond)
				}
			}
			b.ReportMetric(float64(processorTime()-began)/float64(n*members), "cpu-ns/delivery")
		})
	}
}
