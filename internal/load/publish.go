package load

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// A publisher is a client that talks.
type publisher struct {
	client *client
	index  int // in its room
	sent   atomic.Int64

	// By the number of a message, modulo the length. In a closed loop that is Config.Window,
	// and the publisher sets a slot back to 0 once all have it. Else there is a slot for each message, or none if they were too many.
	members int32
	slots   []slot
	wake    chan struct{} // holds one: a message is with all members
}

// A slot says how many members have a message and, where that is no closed loop, when the last of them read it.
type slot struct {
	count  atomic.Int32
	latest atomic.Int64
}

// maxSlots bounds those of all publishers of a load that is no closed loop: 64 MiB.
const maxSlots = 4 << 20

// maxBatch bounds the messages of one write.
const maxBatch = 64

// choose makes the clients that are connected the members of their rooms, and the
// first of each room its publishers.
func (r *run) choose() {
	for _, c := range r.clients {
		if c == nil || c.gone.Load() {
			continue
		}
		room := &r.rooms[c.room]
		room.members = append(room.members, c)
	}
	for i := range r.rooms {
		room := &r.rooms[i]
		for _, c := range room.members[:min(r.cfg.Publishers, len(room.members))] {
			p := &publisher{client: c, index: len(room.publishers), members: int32(len(room.members)), wake: make(chan struct{}, 1)}
			if r.cfg.Saturate {
				p.slots = make([]slot, r.cfg.Window)
			} else if total := r.cfg.Rate * r.cfg.Duration.Seconds(); total*float64(r.cfg.Rooms) <= maxSlots {
				p.slots = make([]slot, int(total)+1)
			}
			room.publishers = append(room.publishers, p)
		}
	}
	r.chosen.Store(true)
}

// publish runs all publishers, until Config.Duration is over or ctx ends.
func (r *run) publish(ctx context.Context) {
	timed, cancel := context.WithTimeout(ctx, r.cfg.Duration)
	defer cancel()
	if !r.cfg.Saturate && r.cfg.Rate == 0 {
		<-timed.Done()
		return
	}
	begin := r.now()
	end := begin + int64(r.cfg.Duration)
	var wg sync.WaitGroup
	for i := range r.rooms {
		publishers := r.rooms[i].publishers
		for _, p := range publishers {
			if r.cfg.Saturate {
				wg.Go(func() { p.saturate(timed, r.cfg.Window) })
				continue
			}
			every := float64(len(publishers)) / r.cfg.Rate * 1e9
			// Spread evenly, over the rooms and within each, so that the load has no beat.
			turn := (float64(i)/float64(len(r.rooms)) + float64(p.index)) / float64(len(publishers))
			wg.Go(func() { p.pace(ctx, begin+int64(every*turn), every, end) })
		}
	}
	wg.Wait()
	if !r.cfg.Saturate {
		<-timed.Done() // what was due last may have been due long before
	}
}

// grace is how long after the end of a run a message that was due before may be sent.
const grace = time.Second

// pace publishes when messages are due: one every so many nanoseconds from begin
// until end. A publisher that is behind sends what is due at once, with the time
// at which it was due, so that a stall shows in the latency of all that it delayed.
func (p *publisher) pace(ctx context.Context, begin int64, every float64, end int64) {
	r := p.client.run
	due := func(k int) int64 { return begin + int64(every*float64(k)) }
	total := max(int(math.Ceil(float64(end-begin)/every)), 0)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for k := 0; k < total; {
		timer.Reset(time.Duration(due(k) - r.now()))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		now, n := r.now(), k
		if now > end+int64(grace) {
			r.unsent.Add(int64(total - k))
			return
		}
		for n < min(total, k+maxBatch) && due(n) <= now {
			r.late.add(now - due(n))
			n++
		}
		if n > k && !p.send(k, n, due) {
			r.unsent.Add(int64(total - k))
			return
		}
		k = n
	}
}

// saturate keeps window messages in flight until ctx ends.
func (p *publisher) saturate(ctx context.Context, window int) {
	r := p.client.run
	stuck := time.NewTimer(r.cfg.Patience)
	defer stuck.Stop()
	delivered := r.delivered() // of all rooms: slow is not stuck
	next, oldest := 0, 0       // oldest is not yet with all members
	for {
		for oldest < next && p.slots[oldest%window].count.Load() == p.members {
			p.slots[oldest%window].count.Store(0)
			oldest++
		}
		if ctx.Err() != nil {
			return
		}
		if n := min(oldest+window, next+maxBatch); n > next {
			now := r.now()
			if !p.send(next, n, func(int) int64 { return now }) {
				return
			}
			next = n
			stuck.Reset(r.cfg.Patience)
			continue
		}
		select {
		case <-p.wake:
		case <-stuck.C:
			if n := r.delivered(); n != delivered {
				delivered = n
				stuck.Reset(r.cfg.Patience)
				continue
			}
			r.stuck.Store(true) // something is lost: the loop cannot go on
			return
		case <-ctx.Done():
			return
		}
	}
}

// arrived notes that one more member has read a message, and reports whether all have now, and when the last did, if that is known of a
// load that is no closed loop. Who is counted last may have read before another.
func (p *publisher) arrived(seq uint32, at int64) (latest int64, all bool) {
	if len(p.slots) == 0 {
		return 0, false
	}
	s := &p.slots[int(seq)%len(p.slots)]
	for latest = s.latest.Load(); at > latest && !s.latest.CompareAndSwap(latest, at); latest = s.latest.Load() {
	}
	if s.count.Add(1) != p.members {
		return 0, false
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return s.latest.Load(), !p.client.run.cfg.Saturate
}

// send publishes the messages from number first to before end in one write.
func (p *publisher) send(first, end int, due func(i int) int64) bool {
	c := p.client
	cfg := &c.run.cfg
	var content, key, payload []byte
	err := c.write(func(dst []byte) []byte {
		for i := first; i < end; i++ {
			content = appendContent(content[:0], c.run.id, mark{c.room, p.index, uint32(i), due(i)}, cfg.Size)
			key = key[:0]
			if cfg.Keys {
				key = content[:seqEnd] // room, publisher and number
			}
			payload = appendMessage(payload[:0], cfg.MsgPack, content, key)
			dst = appendFrame(dst, opOf(cfg.MsgPack), payload)
		}
		return dst
	})
	if err != nil {
		return false
	}
	p.sent.Store(int64(end))
	return true
}

func opOf(msgPack bool) byte {
	if msgPack {
		return opBinary
	}
	return opText
}
