package hub

import (
	"context"
	"sync"
)

// maxLoaders is how many pages are read from the Log at once: one disk, and
// the rest of a storm waits its turn, in order.
const maxLoaders = 4

// loaders read from the Log, so that nobody waits for a disk who has others
// waiting for him. A loader is a goroutine that exists while there is something to read.
type loaders struct {
	mu      sync.Mutex
	queue   []loading
	running int
}

// A loading is something that is to be read: a page for a Member, or what a call
// waits for. A Member is in the queue once at most, and Config.HistoryReads bounds the calls.
type loading interface{ load(*scratch) }

// A scratch is where a loader puts together what it has read, until it knows how large that is: a page
// that grows as it is written leaves four times its size to the collector.
type scratch struct{ buf []byte }

// scratches are those of loaders that have ended.
var scratches = sync.Pool{New: func() any { return new(scratch) }}

// maxScratch is the largest buffer that is kept for the next page, in bytes.
const maxScratch = 8 * pageBytes

// keep takes buf back for the next page.
func (s *scratch) keep(buf []byte) {
	if cap(buf) > maxScratch {
		buf = nil
	}
	s.buf = buf
}

// ask has work done by a loader. It takes no lock of a room and does not
// block.
func (h *Hub) ask(work loading) {
	l := &h.loaders
	l.mu.Lock()
	defer l.mu.Unlock()
	l.queue = append(l.queue, work)
	if l.running < maxLoaders {
		l.running++
		h.wg.Go(h.loader)
	}
}

// loader works until the queue is empty.
func (h *Hub) loader() {
	l := &h.loaders
	into := scratches.Get().(*scratch)
	defer scratches.Put(into)
	for {
		l.mu.Lock()
		if len(l.queue) == 0 {
			l.queue = nil
			l.running--
			l.mu.Unlock()
			return
		}
		work := l.queue[0]
		l.queue[0] = nil
		l.queue = l.queue[1:]
		l.mu.Unlock()
		work.load(into)
	}
}

// A call is a loading that somebody waits for.
type call struct {
	f    func()
	done chan struct{}
}

func (c *call) load(*scratch) {
	c.f()
	close(c.done)
}

// wait has a loader call f and waits for that. If ctx ends first its error is
// returned, and f may be called all the same.
func (h *Hub) wait(ctx context.Context, f func()) error {
	c := &call{f, make(chan struct{})}
	h.ask(c)
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
