package chat

import (
	"bytes"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// listen opens a connection that reads a room, as a WebSocket or as a stream, by hand: it costs what the kernel's side does. It returns once
// the first frame has come.
func listen(t testing.TB, r *rig, kind string) net.Conn {
	t.Helper()
	raw, err := net.Dial("tcp", strings.TrimPrefix(r.http, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	return enter(t, raw, kind)
}

// enter has c read a room.
func enter(t testing.TB, c net.Conn, kind string) net.Conn {
	t.Helper()
	head := "GET /chat/room/den/events HTTP/1.1\r\nHost: x\r\n"
	switch kind {
	case "websocket":
		head = "GET /chat/room/den?announce=0 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + jsonHeader + "\r\n"
	case "lines":
		head += wantLines + "\r\n"
	}
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
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

// inUse is what the process has in use, once garbage is gone.
func inUse() int {
	var s runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&s)
	return int(s.HeapAlloc + s.StackInuse)
}

// TestStreamMemory: a reader takes what a WebSocket takes, and no goroutine. Both of them have the client's side in it.
func TestStreamMemory(t *testing.T) {
	const count = 1000
	r := newRig(t)
	taken := map[string]int{}
	for _, kind := range []string{"websocket", "events", "lines"} {
		listen(t, r, kind) // what is made once
		before, goroutines := inUse(), runtime.NumGoroutine()
		for range count {
			listen(t, r, kind)
		}
		taken[kind] = (inUse() - before) / count
		if more := runtime.NumGoroutine() - goroutines; more > 50 {
			t.Errorf("%s: %d goroutines more", kind, more)
		}
	}
	t.Logf("bytes of one: %v", taken)
	for kind, n := range taken {
		if n > 4<<10 {
			t.Errorf("%s: %d bytes of one", kind, n)
		}
	}
}

// BenchmarkReaders is what a delivery costs in a room of a thousand, by how they read it: processor time, that of the clients included.
func BenchmarkReaders(b *testing.B) {
	const count = 1000
	for _, kind := range []string{"websocket", "events", "lines"} {
		b.Run(kind, func(b *testing.B) {
			r := newRig(b, func(s *setup) { s.store.SyncInterval = time.Hour })
			var got atomic.Int64
			var readers sync.WaitGroup
			b.Cleanup(readers.Wait)
			for range count {
				c := listen(b, r, kind)
				readers.Go(func() {
					buf := make([]byte, 8<<10)
					for {
						n, err := c.Read(buf)
						if err != nil {
							return
						}
						got.Add(int64(bytes.Count(buf[:n], []byte("|"))))
					}
				})
			}
			content := strings.Repeat("x", 60) + "|"
			n, began := int64(0), processorTime()
			for b.Loop() {
				r.say("den", content)
				for n++; got.Load() < n*count; {
					time.Sleep(20 * time.Microsecond)
				}
			}
			b.ReportMetric(float64(processorTime()-began)/float64(n*count), "cpu-ns/delivery")
		})
	}
}
