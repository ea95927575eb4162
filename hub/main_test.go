package hub

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/codec"
	"edgechat/internal/edgetest"
)

func TestMain(m *testing.M) { edgetest.Main(m) }

// lines are formats whose frames are lines, "<mark> m <offset> <user> <content>"
// and "<mark> <type> <user>".
func lines(mark string) Format {
	return Format{
		Message: func(dst []byte, _ string, m *codec.Message) []byte {
			return fmt.Appendf(dst, "%s m %d %s %s\n", mark, m.ID.Offset, m.Username, m.Content)
		},
		Event: func(dst []byte, _ string, e *codec.Event) []byte {
			return fmt.Appendf(dst, "%s %s %s\n", mark, e.Type, e.Username)
		},
	}
}

func newHub(t testing.TB, cfg Config) *Hub {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = newPlainLog(1000)
	}
	cfg.Formats = []Format{lines("a"), lines("b")}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		h.Close()
		if s := h.Stats(); s.Rooms != 0 || s.Members != 0 {
			t.Errorf("left over: %+v", s)
		}
	})
	return h
}

// A sink is a Conn that takes at most room bytes at a time, whole lines, until
// it is given room for more.
type sink struct {
	mu     sync.Mutex
	m      *Member // nil until it is attached
	got    []byte
	room   int
	code   uint16
	notify func(*sink)
}

const endless = math.MaxInt / 4

func (s *sink) Flush() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.m != nil && s.code == 0 {
		p := s.m.Pending()
		if len(p) == 0 {
			return true
		}
		n := bytes.LastIndexByte(p[:min(len(p), s.room)], '\n') + 1
		if n == 0 {
			return false
		}
		s.got = append(s.got, p[:n]...)
		s.room -= n
		s.m.Wrote(n)
		if s.notify != nil {
			s.notify(s)
		}
	}
	return false
}

func (s *sink) Later(func() bool) bool { return false }

func (s *sink) Close(code uint16, _ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.code = code
}

func (s *sink) attach(m *Member) {
	s.mu.Lock()
	s.m = m
	s.mu.Unlock()
	s.Flush()
}

// more gives room for n bytes.
func (s *sink) more(n int) {
	s.mu.Lock()
	s.room += n
	s.mu.Unlock()
	s.Flush()
}

func (s *sink) leave() {
	s.mu.Lock()
	m := s.m
	s.m = nil
	s.mu.Unlock()
	m.Leave()
}

func (s *sink) closed() uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.code
}

// lines returns what came, without events of these types.
func (s *sink) lines(without ...string) (lines []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
next:
	for line := range strings.Lines(string(s.got)) {
		for _, w := range without {
			if strings.Contains(line, " "+w+" ") {
				continue next
			}
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines
}

// await waits for a line that contains what.
func (s *sink) await(t testing.TB, what string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		if slices.ContainsFunc(s.lines(), func(l string) bool { return strings.Contains(l+" ", what) }) {
			return
		}
		if time.Now().After(end) {
			l := s.lines()
			t.Fatalf("%q did not come; the last of %d lines are %q", what, len(l), l[max(0, len(l)-3):])
		}
	}
}

// A place is what somebody got who has joined.
type place struct {
	Joined
	Member *Member
}

// enter joins and waits until the member may begin.
func enter(t testing.TB, h *Hub, room string, conn Conn, j Join) place {
	t.Helper()
	joined := make(chan Joined, 2)
	p := place{Member: h.Join(room, conn, j, func(to Joined, err error) {
		if err != nil {
			t.Error(err)
		}
		joined <- to
	})}
	p.Joined = <-joined
	return p
}

func join(t testing.TB, h *Hub, room string, s *sink, j Join) place {
	t.Helper()
	p := enter(t, h, room, s, j)
	s.attach(p.Member)
	return p
}

func say(t testing.TB, h *Hub, room, content string) {
	t.Helper()
	if err := h.Publish(room, codec.Message{Username: "x", Content: content}, "", codec.Done{}); err != nil {
		t.Fatal(err)
	}
}

// checkOffsets fails unless the message lines hold every offset from first to
// last once and in order, with the content that belongs to it.
func checkOffsets(t testing.TB, got []string, first, last uint64) {
	t.Helper()
	want := first
	for _, line := range got {
		var mark, user string
		var offset, content uint64
		if _, err := fmt.Sscanf(line, "%s m %d %s %d", &mark, &offset, &user, &content); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		if offset != want || content != want {
			t.Fatalf("offset %d with content %d came instead of %d", offset, content, want)
		}
		want++
	}
	if want != last+1 {
		t.Fatalf("%d messages came, from %d on; want up to %d", want-first, first, last)
	}
}

func someBytes() int { return rand.IntN(400) }

func (*sink) Pause()  {}
func (*sink) Resume() {}
