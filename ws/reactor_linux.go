package ws

import (
	"bytes"
	"cmp"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"edgechat/ws/internal/loop"
)

const (
	// frameBudget is how many frames of one connection a turn serves at most: messages, pings
	// and pongs, and what a peer sends to no end.
	frameBudget = 64
	// spareTalks is how many coroutines a reactor keeps for whose message comes next, some 6 KB each.
	spareTalks = 8
)

// A reactor is an event loop with what its connections share. All of it belongs
// to the loop.
type reactor struct {
	*loop.Loop
	rt      *Router
	input   [inputSize]byte
	opened  []byte       // input of a connection over TLS; nil before the first
	records bytes.Buffer // what such connections read records into, see borrow
	talking int          // how many have a coroutine
	spare   []*talk      // coroutines that are nobody's, the one that was used last behind the others
	warned  time.Time

	writes atomic.Uint64 // shared: send(2)s for its connections, by whoever
}

// startReactors starts one for each core. They end with Shutdown.
func (rt *Router) startReactors() error {
	if rt.cfg.driver == goroutineDriver {
		return nil
	}
	for range cmp.Or(rt.cfg.loops, runtime.GOMAXPROCS(0)) {
		r := &reactor{rt: rt}
		var err error
		if r.Loop, err = loop.New(loop.Config{Slow: r.slow}); err != nil {
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

// revive gives d a coroutine: the spare one that was used last, if there is one with its limits.
func (r *reactor) revive(d *onLoop) {
	up := d.c.h.upgrader()
	i := len(r.spare) - 1
	for i >= 0 && r.spare[i].up != up {
		i--
	}
	if i < 0 {
		newTalk(up).use(d)
	} else {
		t := r.spare[i]
		r.spare = slices.Delete(r.spare, i, i+1)
		t.use(d)
	}
	r.talking++
}

// release takes the coroutine from d, which has no use for it.
func (r *reactor) release(d *onLoop) *talk {
	t := d.talk
	d.talk, d.c.socket = nil, nil
	r.talking--
	return t
}

// keep keeps a coroutine that is nobody's for whose message comes next, in place of the one that
// nobody has used for longest.
func (r *reactor) keep(t *talk) {
	if len(r.spare) == spareTalks {
		r.spare[0].retire()
		r.spare = slices.Delete(r.spare, 0, 1)
	}
	r.spare = append(r.spare, t)
}
