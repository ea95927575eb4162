package ws

import (
	"cmp"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"edgechat/ws/internal/loop"
)

const (
	// inputSize is what a turn reads from one connection at most, in bytes.
	inputSize = 16 << 10
	// frameBudget is how many frames of one connection a turn serves at most: messages, pings
	// and pongs, and what a peer sends to no end.
	frameBudget = 64
	// spareTalks is how many coroutines a reactor keeps for who talks next, some 6 KB each.
	spareTalks = 8
)

// A reactor is an event loop with what its connections share. All of it belongs
// to the loop.
type reactor struct {
	*loop.Loop
	rt      *Router
	input   [inputSize]byte
	talking []*onLoop // those with a coroutine
	spare   []*talk   // coroutines that are nobody's
	swept   uint32    // tick of the last look for silent ones
	warned  time.Time

	talkers atomic.Int32  // shared: how many are in talking, as of the last turn
	writes  atomic.Uint64 // shared: send(2)s for its connections, by whoever
}

// startReactors starts one for each core. They end with Shutdown.
func (rt *Router) startReactors() error {
	if rt.cfg.driver == goroutineDriver {
		return nil
	}
	for range cmp.Or(rt.cfg.loops, runtime.GOMAXPROCS(0)) {
		r := &reactor{rt: rt}
		var err error
		if r.Loop, err = loop.New(loop.Config{Turned: r.turned, Slow: r.slow}); err != nil {
			return err
		}
		rt.reactors = append(rt.reactors, r)
		rt.wg.Go(r.run)
	}
	return nil
}

func (r *reactor) run() {
	r.Run()
	for _, d := range r.rt.lobby.of(r) {
		d.leave()
	}
	for _, t := range r.spare {
		t.retire()
	}
}

// nextReactor returns whose turn it is to get a connection.
func (rt *Router) nextReactor() *reactor {
	return rt.reactors[int(rt.turns.Add(1)%uint32(len(rt.reactors)))]
}

// count adds what r has counted to s.
func (r *reactor) count(s *Stats) {
	turns := r.Stats()
	s.PutOff += turns.PutOff
	s.Slices += turns.Slices
	s.Writes += r.writes.Load()
}

// slow counts a turn that held up others, and logs one a minute.
func (r *reactor) slow(took time.Duration, sources int) {
	r.rt.stats.slowTurns.Add(1)
	if now := time.Now(); now.Sub(r.warned) > time.Minute {
		r.warned = now
		r.rt.cfg.Logger.Warn("slow turn", "took", took, "sources", sources)
	}
}

// nudge has a turn made if somebody may have to be parked. The sweeper calls it.
func (r *reactor) nudge() {
	if r.talkers.Load() > 0 {
		r.Post(func() {})
	}
}

// turned is the end of a turn: it parks those that have said nothing for a while.
func (r *reactor) turned() {
	if now := r.rt.tick.Load(); now != r.swept {
		r.swept = now
		after := uint32(r.rt.cfg.parkAfter/r.rt.tickLength()) + 1
		for i := len(r.talking) - 1; i >= 0; i-- { // who is parked makes room for the last
			if d := r.talking[i]; now-d.c.seen.Load() >= after {
				d.park()
			}
		}
	}
	r.talkers.Store(int32(len(r.talking)))
}

// revive gives d a coroutine: a spare one, if there is one with its limits.
func (r *reactor) revive(d *onLoop) {
	up := d.c.h.upgrader()
	i := slices.IndexFunc(r.spare, func(t *talk) bool { return t.up == up })
	if i < 0 {
		newTalk(up).use(d)
	} else {
		t := r.spare[i]
		r.spare = slices.Delete(r.spare, i, i+1)
		t.use(d)
	}
	d.place = int32(len(r.talking))
	r.talking = append(r.talking, d)
}

// release takes the coroutine from d, which has no use for it.
func (r *reactor) release(d *onLoop) *talk {
	last := len(r.talking) - 1
	moved := r.talking[last]
	r.talking[d.place] = moved
	moved.place = d.place
	r.talking[last] = nil
	r.talking = r.talking[:last]
	t := d.talk
	d.talk, d.c.socket = nil, nil
	return t
}

// keep keeps a coroutine that is nobody's for who talks next, or ends it.
func (r *reactor) keep(t *talk) {
	if len(r.spare) < spareTalks {
		r.spare = append(r.spare, t)
		return
	}
	t.retire()
}
