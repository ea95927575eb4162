package hub

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgechat/codec"
)

var (
	modelTime = flag.Duration("model", 2*time.Second, "how long TestRoomModel runs")
	modelSeed = flag.Uint64("seed", 0, "TestRoomModel's first seed; 0 is one by the clock")
)

// TestRoomModel has rooms do everything at once and compares what each member
// was written with a plain list of what was said: every message from where it
// joined or came back, in order, once; every event once, between the messages between
// which it was announced, save for what was announced while the member was out
// of the log. Schedules differ; the seed fixes what is tried.
func TestRoomModel(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano() % 1e9)
	}
	var sum tried
	began := time.Now()
	for i := uint64(0); time.Since(began) < *modelTime && !t.Failed(); i++ {
		newWorld(t, seed+i, &sum).run()
	}
	t.Logf("-seed %d: %v", seed, &sum)
	sum.check(t)
}

// tried counts what the worlds went through.
type tried struct {
	worlds, messages, events, joins, pieces, pauses, lags, lost atomic.Uint64
}

// check fails if a run was long enough to try something and did not.
func (s *tried) check(t *testing.T) {
	all := min(s.messages.Load(), s.events.Load(), s.joins.Load(), s.pieces.Load())
	if n := s.worlds.Load(); !t.Failed() && (n >= 1 && all == 0 || n >= 20 && s.lags.Load() == 0 || n >= 200 && s.lost.Load() == 0) {
		t.Error("something was never tried")
	}
}

func (s *tried) String() string {
	return fmt.Sprintf("%d worlds, %d joins, %d messages and %d events taken in %d pieces, %d times out of the log, %d lost",
		s.worlds.Load(), s.joins.Load(), s.messages.Load(), s.events.Load(), s.pieces.Load(), s.lags.Load(), s.lost.Load())
}

// A world is one room with its log and those who are in it for a while.
type world struct {
	t       *testing.T
	seed    uint64
	tried   *tried
	hub     *Hub
	log     *truth
	limit   int       // of the frame logs
	longest int       // content, in bytes
	events  [2]uint64 // announced so far; guarded by the room's lock

	mu      sync.Mutex
	staying []*modelConn // to the end
	all     []*modelConn
}

// A truth is a plainLog that never forgets what was said.
type truth struct {
	*plainLog
	late      chan *codec.Message // nil: it delivers from within Append
	pass      func(*codec.Message)
	delivered atomic.Uint64 // offset of the last message that the room has

	mu  sync.Mutex
	all []string // by offset-1
}

func (l *truth) said(offset uint64) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset-1 >= uint64(len(l.all)) {
		return "nothing"
	}
	return l.all[offset-1]
}

// oldest returns the offset of the oldest message that Read still has.
func (l *truth) oldest() uint64 {
	page, _ := l.Read("den", codec.Query{})
	return page.Oldest.Offset
}

// Deliver has the truth noted first.
func (l *truth) Deliver(f func(string, *codec.Message)) {
	l.pass = func(m *codec.Message) {
		f("den", m)
		l.delivered.Store(m.ID.Offset)
	}
	l.plainLog.Deliver(func(_ string, m *codec.Message) {
		l.mu.Lock()
		l.all = append(l.all, m.Content)
		l.mu.Unlock()
		if l.late == nil {
			l.pass(m)
			return
		}
		said := *m
		l.late <- &said
	})
}

func newWorld(t *testing.T, seed uint64, sum *tried) *world {
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := &world{t: t, seed: seed, tried: sum, limit: 1 << (10 + rnd.IntN(7)), longest: 1 << rnd.IntN(12)}
	if rnd.IntN(10) == 0 {
		w.longest = chunkMax + chunkMax/2
	}
	w.log = &truth{plainLog: newPlainLog(1 << 20)}
	if rnd.IntN(3) == 0 {
		w.log.keep = 20 + rnd.IntN(100) // some come back too late
	}
	if rnd.IntN(2) == 0 {
		w.log.slow = func() { time.Sleep(rand.N(2 * time.Millisecond)) }
	}
	if rnd.IntN(2) == 0 {
		w.log.late = make(chan *codec.Message, 1000)
	}
	var err error
	if w.hub, err = New(Config{Log: w.log, LogBytes: w.limit, TypingInterval: 1, PageBytes: 1 << (8 + rnd.IntN(10)),
		waits: waits{stall: 2 * time.Millisecond, patience: 5 * time.Millisecond, excuse: 20 * time.Millisecond, tick: time.Millisecond}, Formats: []Format{w.format(0), w.format(1)}}); err != nil {
		t.Fatal(err)
	}
	return w
}

// format makes frames that are lines: "<format> m <offset> <content>", and
// "<format> e <number of the event> <offset of the message before> <type> <user>".
func (w *world) format(format int) Format {
	return Format{
		Message: func(dst []byte, _ string, m *codec.Message) []byte {
			return fmt.Appendf(dst, "%d m %d %s\n", format, m.ID.Offset, m.Content)
		},
		Event: func(dst []byte, _ string, e *codec.Event) []byte { // called with the room locked
			w.events[format]++
			return fmt.Appendf(dst, "%d e %d %d %s %s\n", format, w.events[format], w.hub.find("den").head.Offset, e.Type, e.Username)
		},
	}
}

// content is unlike any other: who says so, how often that one spoke, and up to w.longest
// bytes more.
func (w *world) content(rnd *rand.Rand, who string, n int) string {
	size := rnd.IntN(30)
	if rnd.IntN(8) == 0 {
		size = rnd.IntN(w.longest)
	}
	return fmt.Sprint(who, ".", n, strings.Repeat(string('a'+rune(rnd.IntN(26))), size))
}

// tooFar reports whether a member that was missed bytes behind must still have been in
// the log: three quarters of it are held, or all but one frame.
func (w *world) tooFar(missed uint64) bool {
	return int(missed) > w.limit-max(w.limit/4, w.longest+50)
}

func (w *world) failf(format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("seed %d: "+format, append([]any{w.seed}, args...)...)
}

// run lets everyone do something, waits until all is quiet, and compares.
func (w *world) run() {
	rnd := rand.New(rand.NewPCG(w.seed, 1))
	var late, actors sync.WaitGroup
	if w.log.late != nil {
		late.Go(func() {
			for m := range w.log.late {
				if rand.IntN(4) == 0 {
					time.Sleep(rand.N(time.Millisecond))
				}
				w.log.pass(m)
			}
		})
	}
	for i := range 1 + rnd.IntN(3) {
		actors.Go(func() { w.publish(rand.New(rand.NewPCG(w.seed, uint64(100+i))), fmt.Sprint("p", i)) })
	}
	for i := range 2 + rnd.IntN(10) {
		actors.Go(func() { w.visit(rand.New(rand.NewPCG(w.seed, uint64(200+i))), fmt.Sprint("u", i)) })
	}
	actors.Wait()
	if w.log.late != nil {
		close(w.log.late)
		late.Wait()
	}
	for _, c := range w.staying {
		c.settle()
	}
	for _, c := range w.staying {
		c.leave()
	}
	w.hub.Close()
	s := w.hub.Stats()
	if s.Rooms != 0 || s.Members != 0 {
		w.failf("left over: %+v", s)
	}
	for _, c := range w.all { // a Conn counts them: another room may have paused it, too
		if n := c.pauses.Load(); n != 0 {
			w.failf("%s was paused %d times more than resumed", c.name, n)
		}
	}
	w.tried.worlds.Add(1)
	w.tried.lost.Add(s.Lost)
}

// publish says things from outside of the room, in bursts.
func (w *world) publish(rnd *rand.Rand, name string) {
	for i := range 20 + rnd.IntN(200) {
		if _, err := w.hub.Publish("den", codec.Message{Content: w.content(rnd, name, i)}, "", nil); err != nil {
			w.failf("%v", err)
		}
		if rnd.IntN(5) == 0 {
			time.Sleep(time.Duration(rnd.IntN(1000)) * time.Microsecond)
		}
	}
}

// visit joins, does this and that, leaves, and comes back from where it was,
// or stays.
func (w *world) visit(rnd *rand.Rand, name string) {
	var last uint64 // message that it has
	for visits := rnd.IntN(4); visits >= 0; visits-- {
		c := &modelConn{w: w, rnd: rand.New(rand.NewPCG(rnd.Uint64(), 0)), free: rnd.IntN(3) > 0, name: fmt.Sprint(name, "-", visits)}
		w.mu.Lock()
		w.all = append(w.all, c)
		w.mu.Unlock()
		if !c.join(rnd, last) {
			return
		}
		for i := range 5 + rnd.IntN(60) {
			if c.closed() {
				break
			}
			c.act(rnd, i)
		}
		if visits == 0 && !c.closed() && rnd.IntN(2) == 0 {
			w.mu.Lock()
			w.staying = append(w.staying, c)
			w.mu.Unlock()
			return
		}
		last = c.leave()
		time.Sleep(time.Duration(rnd.IntN(3)) * time.Millisecond)
	}
}
