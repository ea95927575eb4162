package ws

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"edgechat/internal/edgetest"
)

// TestParkedCost: what a connection keeps once it is silent is what it kept before it said anything, whatever that was.
func TestParkedCost(t *testing.T) {
	if edgetest.Race {
		t.Skip("make test measures memory without the race detector")
	}
	const conns, most = 3000, 400 // bytes a connection; among so many, what the runtime keeps of stacks that are gone counts little
	pongs := masked(0x8a, "") + masked(0x8a, "")
	hello := masked(0x81, "hello")
	long := masked(0x81, string(make([]byte, 2000)))
	for _, c := range []struct {
		name string
		says []string // a segment each
		last byte     // of what comes back, for all to have been read; 0 for nothing
	}{
		{"pongs around a ping", []string{pongs + masked(0x89, "!") + pongs}, '!'},
		{"a message in two segments", []string{hello[:7], hello[7:]}, 'o'},
		{"half of a long message", []string{long[:1500], long[1500:]}, 0},
		{"fragments", []string{masked(0x01, "frag"), masked(0x89, "?") + masked(0x80, "ment")}, 't'},
	} {
		t.Run(c.name, func(t *testing.T) {
			rt, url := loopRig(t, Config{PingInterval: time.Minute})
			r := rt.reactors[0]
			var all []*edgetest.Client
			for range 2 * conns {
				all = append(all, edgetest.Dial(t, url))
			}
			parked := func() int64 {
				awaitThat(t, "all are parked", func() bool { return talking(r) == 0 })
				var m runtime.MemStats
				for range 3 { // pools empty in two
					runtime.GC()
				}
				runtime.ReadMemStats(&m)
				return int64(m.HeapAlloc + m.StackInuse)
			}
			talk := func(some []*edgetest.Client) {
				for i, segment := range c.says {
					for _, one := range some {
						one.Raw([]byte(segment))
					}
					if i < len(c.says)-1 {
						awaitThat(t, "it was read", func() bool { return talking(r) == conns })
					}
				}
				answer := make([]byte, 4<<10)
				for _, one := range some {
					for n := 0; n == 0 || answer[n-1] != c.last; {
						m, err := one.Conn.Read(answer[n:])
						if err != nil {
							t.Fatal(err)
						}
						n += m
					}
				}
			}
			talk(all[:conns]) // after which the loop keeps some coroutines for whoever speaks next
			before := parked()
			for range 4 {
				before = min(before, parked())
			}
			talk(all[conns:])
			var each int64
			defer func() { t.Logf("%d bytes more a connection", each) }()
			awaitThat(t, fmt.Sprintf("at most %d bytes more a connection", most), func() bool { // pools and stacks are given back when it suits the runtime
				each = (parked() - before) / conns
				return each <= most
			})
			runtime.KeepAlive(all) // their buffers are in both figures
		})
	}
}
