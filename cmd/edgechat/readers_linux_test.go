package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"edgechat/internal/edgetest"
)

// TestReaders: a thousand WebSockets and, beside them in the same room, a thousand event streams. A stream takes 12 KB of the server at
// most, and a delivery to one costs the server at most one and a half times what one to a WebSocket does.
func TestReaders(t *testing.T) {
	if edgetest.Race || testing.Short() {
		t.Skip("measured without -race, in part allocs")
	}
	const count, rounds, messages = 1000, 3, 20
	admin := filepath.Join(t.TempDir(), "admin.sock")
	p := runServe(t, nil, append(edgetest.NoLimits(), "EDGECHAT_LISTEN=127.0.0.1:0", "EDGECHAT_DATA="+t.TempDir(), "EDGECHAT_ADMIN="+admin,
		"EDGECHAT_CONNECTIONS_PER_ADDRESS=0", "EDGECHAT_HTTP_PER_ADDRESS=0", "EDGECHAT_STREAMS=0", "EDGECHAT_JOIN_RATE=0", "EDGECHAT_SYNC_INTERVAL=1m", "EDGECHAT_PING_INTERVAL=5m")...)
	addr := p.await(`addr=(127\.0\.0\.1:\d+)`)
	publisher := edgetest.Dial(t, "http://"+addr+"/chat/room/den?announce=0")
	var got atomic.Int64
	var readers sync.WaitGroup
	t.Cleanup(readers.Wait)
	enter := func(head string) {
		for range count {
			c := readDen(t, addr, head)
			readers.Go(func() {
				for buf := make([]byte, 4<<10); ; {
					n, err := c.Read(buf)
					if err != nil {
						return
					}
					got.Add(int64(bytes.Count(buf[:n], []byte("|"))))
				}
			})
		}
	}
	// The least of some rounds: what else the machine does only adds to it.
	cost := func(all int) time.Duration {
		least := time.Hour
		for range rounds {
			want, began := got.Load(), processorOf(t, p.cmd.Process.Pid)
			for range messages {
				publisher.Text(`{"type":"message","content":"` + strings.Repeat("x", 60) + `|"}`)
				want += int64(all)
				for end := time.Now().Add(60 * time.Second); got.Load() < want; time.Sleep(100 * time.Microsecond) {
					if time.Now().After(end) {
						t.Fatalf("%d deliveries, want %d\n%s", got.Load(), want, p.log)
					}
				}
			}
			least = min(least, (processorOf(t, p.cmd.Process.Pid)-began)/time.Duration(messages*all))
		}
		return least
	}
	enter("?announce=0 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: edgechat.v1.json\r\n\r\n")
	sockets := cost(count)
	before := heapOf(t, admin)
	enter("/events HTTP/1.1\r\nHost: x\r\n\r\n")
	taken := (heapOf(t, admin) - before) / count
	both := cost(2 * count)
	ratio := float64(2*both-sockets) / float64(sockets)
	t.Logf("a delivery to one of %d WebSockets costs the server %v, to one of as many WebSockets and %d streams %v: one to a stream %.2f times as much; a stream takes %d bytes",
		count, sockets, count, both, ratio, taken)
	if ratio > 1.5 {
		t.Errorf("a stream costs %.2f times what a WebSocket does, and 1.5 is the limit", ratio)
	}
	if taken > 12<<10 {
		t.Errorf("a stream takes %d bytes, and 12 KiB is the limit", taken)
	}
}

// readDen opens a connection that reads the room; head is what comes behind its path.
func readDen(t *testing.T, addr, head string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(60 * time.Second))
	if _, err := io.WriteString(c, "GET /chat/room/den"+head); err != nil {
		t.Fatal(err)
	}
	var buf [4096]byte
	for n := 0; !bytes.Contains(buf[:n], []byte("ping_interval_ms")); {
		k, err := c.Read(buf[n:])
		if n += k; err != nil {
			t.Fatalf("%v behind %q", err, buf[:n])
		}
	}
	_ = c.SetDeadline(time.Time{})
	return c
}

// processorOf returns the processor time of a process, by its own clock (clock_getcpuclockid(3)).
func processorOf(t *testing.T, pid int) time.Duration {
	t.Helper()
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|2, &ts); err != nil {
		t.Fatal(err)
	}
	return time.Duration(ts.Nano())
}

// heapOf returns what the server has on its heap and its stacks, once garbage is gone.
func heapOf(t *testing.T, admin string) int {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", admin) }}}
	for n := 0; ; n++ {
		resp, err := client.Get("http://admin/debug/pprof/heap?gc=1&debug=1")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		m := regexp.MustCompile(`# Stack = (\d+) (?s:.*)# HeapAlloc = (\d+)\n|# HeapAlloc = (\d+)\n(?s:.*)# Stack = (\d+) `).FindStringSubmatch(string(text))
		if err != nil || m == nil {
			t.Fatalf("%s, %v: %.2000s", resp.Status, err, text)
		}
		if n < 2 { // what the first has freed may have held more
			continue
		}
		sum := 0
		for _, s := range m[1:] {
			k, _ := strconv.Atoi(s) // one half of the expression is empty
			sum += k
		}
		return sum
	}
}
