package outbox

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/refusal"
	"edgechat/ws/internal/frame"
)

// A kernel is a Transport that takes at most room bytes, and then nothing before it is
// given more.
type kernel struct {
	room   int
	took   bytes.Buffer
	tries  int
	full   bool
	hungUp bool
	cut    bool
	wide   bool
}

func (k *kernel) Try(p []byte) (n int, full bool, err error) {
	if len(p) == 0 {
		return 0, false, nil
	}
	k.tries++
	n = min(len(p), k.room)
	k.room -= n
	k.took.Write(p[:n])
	return n, n < len(p), nil
}
func (k *kernel) Full()   { k.full = true }
func (k *kernel) HangUp() { k.hungUp = true }
func (k *kernel) Cut()    { k.cut = true }
func (k *kernel) Widen()  { k.wide = true }

// texts returns the payloads of what was taken, which are whole frames.
func (k *kernel) texts(t *testing.T) (texts []string) {
	t.Helper()
	p := k.took.Bytes()
	for len(p) > 0 {
		n := frame.Len(p)
		if n > len(p) {
			t.Fatalf("ends with %d bytes of a frame of %d", len(p), n)
		}
		header := 2
		if p[1] == 126 {
			header = 4
		}
		texts = append(texts, string(p[header:n]))
		p = p[n:]
	}
	return texts
}

// A source is a Stream of numbered frames.
type source struct {
	name string
	made int
	log  []byte
}

func (s *source) say(pad int) {
	s.log = frame.Append(s.log, frame.Text, fmt.Appendf(nil, "%s %d %s", s.name, s.made, strings.Repeat("x", pad)))
	s.made++
}
func (s *source) Pending() []byte { return s.log }
func (s *source) Wrote(n int)     { s.log = s.log[n:] }

func newBox(k *kernel, maxPending int) (*Box, *Config) {
	cfg := &Config{MaxPending: maxPending, CloseTimeout: time.Hour, Tick: new(atomic.Uint32), Slow: new(atomic.Uint64), Closed: new(refusal.CloseCounts)}
	b := new(Box)
	b.Init(cfg, k, false)
	return b, cfg
}

// TestOneWrite: what the connection is to be written of its own and of several streams is one write.
func TestOneWrite(t *testing.T) {
	k := &kernel{room: 1 << 20}
	b, _ := newBox(k, 1000)
	sources := []*source{{name: "a"}, {name: "b"}, {name: "c"}}
	for _, s := range sources {
		b.Attach(s)
	}
	k.tries = 0
	if err := b.Queue(frame.Text, []byte("own 0 "), false); err != nil {
		t.Fatal(err)
	}
	for _, s := range sources {
		s.say(100)
	}
	if !b.Flush() || k.tries != 1 || len(k.texts(t)) != 4 {
		t.Errorf("%d writes for %q", k.tries, k.texts(t))
	}
}

// TestSources: whatever a kernel takes at a time, each source's frames come whole and in order,
// and none waits for ever for another that always has more.
func TestSources(t *testing.T) {
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		k := new(kernel)
		b, _ := newBox(k, 1<<20)
		sources := []*source{{name: "a"}, {name: "b"}, {name: "c"}}[:1+rnd.IntN(3)]
		for _, s := range sources {
			b.Attach(s)
		}
		own := 0
		for range 300 {
			switch rnd.IntN(4) {
			case 0:
				if err := b.Queue(frame.Text, fmt.Appendf(nil, "own %d %s", own, strings.Repeat("x", rnd.IntN(300))), false); err != nil {
					t.Fatal(err)
				}
				own++
			case 1:
				sources[rnd.IntN(len(sources))].say(rnd.IntN(5000))
			case 2:
				b.Flush()
			case 3:
				k.room = rnd.IntN(20_000)
				b.Writable()
			}
		}
		k.room = 1 << 30
		b.Writable()
		if !b.Flush() {
			t.Fatalf("seed %d: something is left", seed)
		}
		next := map[string]int{}
		for _, text := range k.texts(t) {
			name, rest, _ := strings.Cut(text, " ")
			if n, _, _ := strings.Cut(rest, " "); n != fmt.Sprint(next[name]) {
				t.Fatalf("seed %d: %s %s came instead of %d", seed, name, n, next[name])
			}
			next[name]++
		}
		for _, s := range sources {
			if next[s.name] != s.made {
				t.Errorf("seed %d: %d of %d of %s", seed, next[s.name], s.made, s.name)
			}
		}
		if next["own"] != own {
			t.Errorf("seed %d: %d of %d own", seed, next["own"], own)
		}
	}
}

// TestRounds: a stream that always has more than is taken leaves the others their turn.
func TestRounds(t *testing.T) {
	k := new(kernel)
	b, _ := newBox(k, 1000)
	busy, quiet := &source{name: "busy"}, &source{name: "quiet"}
	b.Attach(busy)
	b.Attach(quiet)
	quiet.say(10)
	for range 3 {
		for range 100 {
			busy.say(1000)
		}
		k.room = 20_000
		b.Writable()
		b.Flush()
	}
	if !strings.Contains(k.took.String(), "quiet 0") {
		t.Error("the quiet one was not written")
	}
}

// TestBound: frames of its own beyond the bound close the connection, the rest of one that was
// begun is not counted, and what was begun is ended.
func TestBound(t *testing.T) {
	k := &kernel{room: 100}
	b, cfg := newBox(k, 1000)
	large := &source{name: "large"}
	large.say(60_000)
	b.Attach(large)
	for n := range 9 {
		if err := b.Queue(frame.Text, make([]byte, 100), false); err != nil {
			t.Fatalf("frame %d: %v", n, err)
		}
	}
	if b.Queue(frame.Text, make([]byte, 200), false) == nil || cfg.Slow.Load() != 1 || !k.wide {
		t.Error("there is no bound")
	}
	k.room = 1 << 20
	b.Writable()
	texts := k.texts(t)
	last := texts[len(texts)-1]
	if code, _ := frame.CloseCode([]byte(last)); len(texts) != 11 || len(texts[0]) < 60_000 || code != 1013 {
		t.Errorf("%d frames, the last %q", len(texts), last)
	}
	b.HangUp()
	if !k.hungUp {
		t.Error("it did not hang up behind its close frame")
	}
}

// TestDetached: nothing of a stream that was detached is read, in the middle of a frame or not.
func TestDetached(t *testing.T) {
	k := &kernel{room: 500}
	b, _ := newBox(k, 1000)
	s := &source{name: "s"}
	s.say(1000)
	s.say(1000)
	b.Attach(s)
	b.Detach(s)
	for i := range s.log {
		s.log[i] = 0
	}
	k.room = 1 << 20
	b.Writable()
	if texts := k.texts(t); len(texts) != 1 || !strings.HasPrefix(texts[0], "s 0 x") {
		t.Errorf("%.20q", texts)
	}
}
