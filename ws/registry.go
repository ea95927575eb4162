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
	feeds  int        // of those there are, and are coming
	waits  int        // requests that wait, see Router.Wait
	closed bool       // nobody may come any more
	fewer  *sync.Cond // signals that the last one left, or came; made by whoever waits
}

func (g *registry) init(l Limits, counts *limitCounts) {
	g.limits, g.counts, g.by = l, counts, limit.NewCounts(l.PerAddress)
}

// admit lets one more come, from source, or returns what he is answered. Then add or quit follows, which
// waits for nobody.
func (g *registry) admit(source limit.Addr, feed bool) *refusal.Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	most := g.limits.Connections - g.limits.spare()
	switch {
	case g.closed:
		return shuttingDown()
	case most > 0 && len(g.conns)+g.coming >= most:
		g.counts.connections.Add(1)
		return tooMany()
	case feed && g.fedLocked():
		g.counts.streams.Add(1)
		return tooManyStreams()
	case !g.enterLocked(source, feed, most):
		g.counts.perAddress.Add(1)
		return tooManySockets()
	}
	g.coming++
	if feed {
		g.feeds++
	}
	return nil
}

// enterLocked counts one more of an address, where there may be so many in all.
func (g *registry) enterLocked(source limit.Addr, feed bool, all int) bool {
	if feed && g.limits.Streams > 0 {
		return g.by.EnterOf(source, g.limits.Streams, g.feeds+g.waits)
	}
	return g.by.EnterOf(source, all, len(g.conns)+g.coming)
}

// fedLocked reports whether there are as many streams as there may be.
func (g *registry) fedLocked() bool {
	return g.limits.Streams > 0 && g.feeds+g.waits >= g.limits.Streams
}

// admitWait lets one more request wait, or returns what it is answered. Then endWait follows.
func (g *registry) admitWait() *refusal.Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return shuttingDown()
	case g.fedLocked(), g.limits.Plain > 0 && g.waits >= (g.limits.Plain+1)/2: // the others are for those who do not wait
		g.counts.streams.Add(1)
		return tooManyStreams()
	}
	g.waits++
	return nil
}

func (g *registry) endWait() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waits--
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
func (g *registry) quit(source limit.Addr, feed bool) {
	g.by.Leave(source)
	g.mu.Lock()
	defer g.mu.Unlock()
	if feed {
		g.feeds--
	}
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
	if c.oneWay {
		g.feeds--
	}
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

// len returns how many connections there are, how many of them are feeds, those to come included, and how many requests wait.
func (g *registry) len() (conns, feeds, waits int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.conns), g.feeds, g.waits
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
