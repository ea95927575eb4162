package hub

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/codec"
)

// A world is some rooms with their log and those who are in them for a while.
type world struct {
	t       *testing.T
	seed    uint64
	tried   *tried
	hub     *Hub
	log     *truth
	rooms   []*modelRoom
	limit   int // of the frame logs
	longest int // content, in bytes

	mu      sync.Mutex
	staying []*modelConn // to the end
	all     []*modelConn
}

func newWorld(t *testing.T, seed uint64, sum *tried) *world {
	rnd := rand.New(rand.NewPCG(seed, 0))
	w := &world{t: t, seed: seed, tried: sum, limit: 1 << (10 + rnd.IntN(7)), longest: 1 << rnd.IntN(12)}
	if rnd.IntN(10) == 0 {
		w.longest = chunkMax + chunkMax/2
	}
	for i := range 1 + rnd.IntN(4) {
		w.rooms = append(w.rooms, &modelRoom{name: fmt.Sprint("room", i), place: i})
	}
	w.log = &truth{plainLog: newPlainLog(1 << 20), room: w.room}
	if rnd.IntN(3) == 0 {
		w.log.keep = 20 + rnd.IntN(100) // some come back too late
	}
	if rnd.IntN(2) == 0 {
		w.log.slow = func() { time.Sleep(rand.N(2 * time.Millisecond)) }
	}
	if rnd.IntN(2) == 0 {
		w.log.late = make(chan said, 1000)
	}
	var err error
	if w.hub, err = New(Config{Log: w.log, LogBytes: w.limit, TypingInterval: 1, PageBytes: 1 << (8 + rnd.IntN(10)),
		waits: waits{stall: 2 * time.Millisecond, patience: 5 * time.Millisecond, excuse: 20 * time.Millisecond, tick: time.Millisecond}, Formats: []Format{w.format(0), w.format(1)}}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) room(name string) *modelRoom {
	for _, r := range w.rooms {
		if r.name == name {
			return r
		}
	}
	w.failf("there is no room %q", name)
	return w.rooms[0]
}

// format makes frames that are lines: "<format> <room> m <offset> <content>", and
// "<format> <room> e <number of the event> <offset of the message before> <type> <user>".
func (w *world) format(format int) Format {
	return Format{
		Message: func(dst []byte, room string, m *codec.Message) []byte {
			return fmt.Appendf(dst, "%d %s m %d %s\n", format, room, m.ID.Offset, m.Content)
		},
		Event: func(dst []byte, room string, e *codec.Event) []byte { // called with the room locked
			r := w.room(room)
			r.events[format]++
			return fmt.Appendf(dst, "%d %s e %d %d %s %s\n", format, room, r.events[format], w.hub.find(room).head.Offset, e.Type, e.Username)
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
	return int(missed) > w.limit-max(w.limit/4, w.longest+60)
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
		late.Go(w.log.deliverLate)
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
	for _, free := range []bool{true, false} { // beside those who take nothing yet
		for _, c := range w.staying {
			if c.free == free {
				c.settle()
			}
		}
	}
	for _, c := range w.staying {
		c.end()
	}
	w.hub.Close()
	s := w.hub.Stats()
	if s.Rooms != 0 || s.Members != 0 || s.Quiet != 0 || s.Pages != 0 {
		w.failf("left over: %+v", s)
	}
	for _, c := range w.all {
		if n := c.pauses.Load(); n != 0 {
			w.failf("%s was paused %d times more than resumed", c.name, n)
		}
	}
	w.tried.worlds.Add(1)
	w.tried.lost.Add(s.Lost)
}

// publish says things from outside of the rooms, in bursts.
func (w *world) publish(rnd *rand.Rand, name string) {
	for i := range 20 + rnd.IntN(200) {
		room := w.rooms[rnd.IntN(len(w.rooms))]
		if err := w.hub.Publish(room.name, codec.Message{Content: w.content(rnd, name, i)}, "", codec.Done{}); err != nil {
			w.failf("%v", err)
		}
		if rnd.IntN(5) == 0 {
			time.Sleep(time.Duration(rnd.IntN(1000)) * time.Microsecond)
		}
	}
}

// visit connects, joins some rooms, does this and that, ends, and comes back from where it was,
// or stays.
func (w *world) visit(rnd *rand.Rand, name string) {
	last := map[*modelRoom]uint64{}
	for visits := rnd.IntN(4); visits >= 0; visits-- {
		c := &modelConn{w: w, rnd: rand.New(rand.NewPCG(rnd.Uint64(), 0)), free: rnd.IntN(3) > 0, name: fmt.Sprint(name, "-", visits), last: last}
		w.mu.Lock()
		w.all = append(w.all, c)
		w.mu.Unlock()
		for range 1 + rnd.IntN(len(w.rooms)) {
			c.joinOne(rnd)
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
		c.end()
		time.Sleep(time.Duration(rnd.IntN(3)) * time.Millisecond)
	}
}
