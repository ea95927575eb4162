package store

import (
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/internal/edgetest"
)

// TestAppendAllocs: a message costs no allocation of its own. Entries, which the
// committer, readers and the subscriber share, are made sixteen at a time; queue and
// maps grow seldom.
func TestAppendAllocs(t *testing.T) {
	s := open(t, Config{SyncInterval: time.Hour, CommitBytes: 64 << 20})
	s.Deliver(func(string, *codec.Message) {}, nil)
	m := codec.Message{Username: "alice", Content: "Hello everyone!", Time: 1}
	keys := make([]string, 20_000)
	for i := range keys {
		keys[i] = fmt.Sprint("key", i)
	}
	for _, keyed := range []bool{false, true} {
		i := 0
		n := testing.AllocsPerRun(len(keys)/2-1, func() {
			key := ""
			if keyed {
				key = keys[i]
			}
			i++
			if err := s.Append("den", m, key, codec.Done{}); err != nil {
				t.Fatal(err)
			}
		})
		if n > 0 {
			t.Errorf("keyed %t: %v allocations for a message, want 0", keyed, n)
		}
	}
}

// TestReadAllocs: a message that is read from the history is copied once, out of pages that the read after it reads into.
func TestReadAllocs(t *testing.T) {
	if edgetest.Race {
		t.Skip("sync.Pool drops some of what it is given")
	}
	const size = 60_000
	s := open(t, Config{})
	for i := range 4 {
		sayFolded(t, s, "den", fmt.Sprint(i, strings.Repeat("x", size)), "")
	}
	const runs = 10
	least := math.Inf(1) // a collection takes from a sync.Pool what it has
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			if p := readPage(t, s, "den", codec.Query{Limit: 1, Newest: true}); len(p.Messages) != 1 {
				t.Fatal(p)
			}
		}
		runtime.ReadMemStats(&after)
		least = min(least, float64(after.TotalAlloc-before.TotalAlloc)/runs/size)
	}
	if least > 1.6 {
		t.Errorf("a byte of a message takes %.1f of the heap, want 1.6 at most", least)
	}
}

func BenchmarkAppend(b *testing.B) {
	for _, rooms := range []int{1, 100} {
		b.Run(fmt.Sprint("rooms=", rooms), func(b *testing.B) {
			s := open(b, Config{})
			s.Deliver(func(string, *codec.Message) {}, nil)
			names := make([]string, rooms)
			for i := range names {
				names[i] = fmt.Sprint("room", i)
			}
			m := codec.Message{Username: "alice", Content: "Hello everyone!", Time: 1}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := s.Append(names[i%rooms], m, "", codec.Done{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCommit is the time of a commit of so many messages of 200 bytes, at a
// steady size of the file; most of it is two flushes of the disk.
func BenchmarkCommit(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint("messages=", n), func(b *testing.B) {
			s := open(b, Config{SyncInterval: time.Hour, AckDelay: time.Nanosecond, History: 1000})
			m := codec.Message{Username: "alice", Content: strings.Repeat("x", 150), Time: 1}
			done := make(chan codec.Receipt, 1)
			told := func(r codec.Receipt) { done <- r }
			b.ReportAllocs()
			for b.Loop() {
				for i := range n {
					f := told
					if i < n-1 {
						f = nil
					}
					if err := s.Append("den", m, "", codec.Done{Tell: f}); err != nil {
						b.Fatal(err)
					}
				}
				<-done
			}
		})
	}
}

func BenchmarkRead(b *testing.B) {
	for _, n := range []int{10, 200} {
		b.Run(fmt.Sprint("messages=", n), func(b *testing.B) {
			s := open(b, Config{})
			sayAll(b, s, "den", 200)
			sayStored(b, s, "hall", "x", "")
			b.ReportAllocs()
			for b.Loop() {
				if p, err := s.Read("den", codec.Query{Limit: n, Newest: true}); err != nil || len(p.Messages) != n {
					b.Fatal(len(p.Messages), err)
				}
			}
		})
	}
}

// BenchmarkOpen opens a store of 50,000 messages in 250 rooms.
func BenchmarkOpen(b *testing.B) {
	cfg := Config{Path: filepath.Join(b.TempDir(), "edgechat.db")}
	s := open(b, cfg)
	for i := range 50_000 {
		say(b, s, fmt.Sprint("room", i%250), strings.Repeat("x", 150))
	}
	closeStore(b, s)
	b.ReportAllocs()
	for b.Loop() {
		s, err := Open(cfg)
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		closeStore(b, s)
		b.StartTimer()
	}
}
