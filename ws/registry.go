package ws

import "sync"

// A registry holds every open connection. Each knows its own place, so that
// one costs eight bytes here and leaves without a search.
type registry struct {
	mu     sync.Mutex
	conns  []*core
	closed bool       // nobody may come any more
	empty  *sync.Cond // signals that the last one left; made by wait
}

func (g *registry) add(c *core) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	c.place = int32(len(g.conns))
	g.conns = append(g.conns, c)
	return true
}

// shut lets nobody in from now on.
func (g *registry) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
}

func (g *registry) remove(c *core) {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := len(g.conns) - 1
	moved := g.conns[last]
	g.conns[c.place] = moved
	moved.place = c.place
	g.conns[last] = nil
	g.conns = g.conns[:last]
	if last == 0 && g.empty != nil {
		g.empty.Broadcast()
	}
}

func (g *registry) len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns)
}

// all appends every connection to buf[:0].
func (g *registry) all(buf []*core) []*core {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append(buf[:0], g.conns...)
}

// wait returns when there is no connection.
func (g *registry) wait() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.empty == nil {
		g.empty = sync.NewCond(&g.mu)
	}
	for len(g.conns) > 0 {
		g.empty.Wait()
	}
}
