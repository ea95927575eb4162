package main

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// A level is what a server takes while nobody is there.
type level struct {
	heap, rss               int64 // bytes
	goroutines, descriptors int64
}

func (l level) String() string {
	return fmt.Sprintf("heap %d KiB, RSS %d KiB, %d goroutines, %d descriptors", l.heap>>10, l.rss>>10, l.goroutines, l.descriptors)
}

// above says what is more than it was. Pools, caches of the allocator and readers that rest are some of each, and each
// event loop keeps up to eight coroutines.
func (l level) above(was level) string {
	for _, c := range []struct {
		name      string
		now, most int64
	}{
		{"heap", l.heap, was.heap + was.heap/4 + 4<<20},
		{"RSS", l.rss, was.rss + was.rss/4 + 16<<20},
		{"goroutines", l.goroutines, was.goroutines + 8 + 8*int64(runtime.NumCPU())},
		{"descriptors", l.descriptors, was.descriptors + 8},
	} {
		if c.now > c.most {
			return fmt.Sprintf("%s %d, at most %d", c.name, c.now, c.most)
		}
	}
	return ""
}

// What was done, so that a soak that did nothing is none.
type soaked struct {
	churned, cut, acked, unacked, slow, herds, recovered, gaps, faults, reloads, backups atomic.Int64
}

func (d *soaked) String() string {
	return fmt.Sprintf("%d connections came and went, %d were cut, %d messages acked, %d not durable, %d slow readers, %d herds, %d came back and missed nothing, %d did, %d faults, %d reloads, %d backups",
		d.churned.Load(), d.cut.Load(), d.acked.Load(), d.unacked.Load(), d.slow.Load(), d.herds.Load(), d.recovered.Load(), d.gaps.Load(), d.faults.Load(), d.reloads.Load(), d.backups.Load())
}

func (d *soaked) check(t *testing.T) {
	t.Helper()
	for _, n := range []*atomic.Int64{&d.churned, &d.cut, &d.acked, &d.slow, &d.herds, &d.recovered, &d.faults, &d.reloads, &d.backups} {
		if n.Load() == 0 {
			t.Errorf("something was never done: %v", d)
			return
		}
	}
}

// settled measures once nobody comes or goes any more: the same for five seconds, or what there is after a minute.
func (s *soakTest) settled() (l level) {
	s.t.Helper()
	same, deadline := 0, time.Now().Add(time.Minute)
	for same < 5 && time.Now().Before(deadline) {
		now := s.measure()
		if now.goroutines == l.goroutines && now.descriptors == l.descriptors {
			same++
		} else {
			same = 0
		}
		l = now
		time.Sleep(time.Second)
	}
	return l
}

// measure looks at what the server takes, after a collection.
func (s *soakTest) measure() (l level) {
	s.t.Helper()
	pid := s.b.cmd.Process.Pid
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	l.descriptors = int64(len(files))
	l.heap = s.number(heapAlloc, s.profile("heap?gc=1&debug=1"))
	l.goroutines = s.number(goroutines, s.profile("goroutine?debug=1"))
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	l.rss = s.number(rss, string(status)) << 10
	return l
}

func (s *soakTest) number(in *regexp.Regexp, text string) int64 {
	s.t.Helper()
	m := in.FindStringSubmatch(text)
	if m == nil {
		s.t.Fatalf("no %v in %.300q", in, text)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// profile reads one of pprof, which the admin socket has.
func (s *soakTest) profile(name string) string {
	s.t.Helper()
	text, err := overSocket(s.socket, "/debug/pprof/"+name)
	if err != nil {
		s.t.Fatal(err)
	}
	return text
}
