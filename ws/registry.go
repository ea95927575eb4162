package ws

import (
	"sync"

	"edgechat/limit"
	"edgechat/refusal"
)

// A registry holds every open connection. Each knows its own place, so that
// one costs eight bytes here and leaves without a search.
//
// Nobody is taken from who has served his handshake before he was admitted here. So who is refused is so
// by an ordinary answer, and a Shutdown knows of everyone else.
type registry struct {
	mu     sync.Mutex
	limits Limits
	counts *limitCounts
	by     *limit.Counts // by address
	conns  []*core
	coming int        // were admitted, and are not there yet
	closed bool       // nobody may come any more
	fewer  *sync.Cond // signals that the last one left, or came; made by whoever waits
}

func (g *registry) init(l Limits, counts *limitCounts) {
	g.limits, g.counts, g.by = l, counts, limit.NewCounts(l.PerAddress)
}

// admit lets one more come, from source, or returns what he is answered. Then add or quit follows, which
// waits for nobody.
func (g *registry) admit(source limit.Addr) *refusal.Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	most := g.limits.Connections - g.limits.spare()
	switch {
	case g.closed:
		return shuttingDown()
	case most > 0 && len(g.conns)+g.coming >= most:
		g.counts.connections.Add(1)
		return tooMany()
	case !g.by.Enter(source):
		g.counts.perAddress.Add(1)
		return tooManySockets()
	}
	g.coming++
	return nil
}

// add adds a connection that was admitted. From now on it may be written to and cut.
func (g *registry) add(c *core) {
	c.seen.Store(c.rt.tick.Load()) // before the sweeper sees it
	g.mu.Lock()
	defer g.mu.Unlock()
	c.place = int32(len(g.conns))
	g.conns = append(g.conns, c)
	g.cameLocked()
}

// quit says that one who was admitted, from source, does not come.
func (g *registry) quit(source limit.Addr) {
	g.by.Leave(source)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cameLocked()
}

func (g *registry) cameLocked() {
	if g.coming--; g.coming == 0 && g.fewer != nil {
		g.fewer.Broadcast()
	}
}

// shut lets nobody in from now on. It returns when all who were admitted have come.
func (g *registry) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for g.coming > 0 {
		g.waitLocked()
	}
}

func (g *registry) remove(c *core) {
	g.by.Leave(c.source)
	g.mu.Lock()
	defer g.mu.Unlock()
	last := len(g.conns) - 1
	moved := g.conns[last]
	g.conns[c.place] = moved
	moved.place = c.place
	g.conns[last] = nil
	g.conns = g.conns[:last]
	if last == 0 && g.fewer != nil {
		g.fewer.Broadcast()
	}
}

func (g *registry) len() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns)
}

// count returns how many there are, and are about to come.
func (g *registry) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns) + g.coming
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
	for len(g.conns) > 0 {
		g.waitLocked()
	}
}

func (g *registry) waitLocked() {
	if g.fewer == nil {
		g.fewer = sync.NewCond(&g.mu)
	}
	g.fewer.Wait()
}
