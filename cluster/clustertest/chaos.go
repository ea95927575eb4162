package clustertest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgechat/cluster"
	"edgechat/codec"
	"edgechat/hub/logtest"
)

// A target is a server, and what can be done to it besides.
type target struct {
	Machine
	keeps   bool                        // see Mode
	promote func(t *testing.T)          // has another server be the one that nodes are led to; nil does not
	address func(node int) string       // of the server, for a node that is a process
	drop    func(node int) (end func()) // has packets between a node and the server lost until end is called; nil does not
}

const (
	clients = 60
	// retry is how long it rests where nothing is taken.
	retry = 100 * time.Millisecond
	// aLot is how long chaos has to take for all of its faults and checks. A short one has stops of a second at most, and does not look at memory, which
	// others use beside it.
	aLot = 20 * time.Second
	// mostHeap is by how much the heap may have grown once all nodes are closed.
	mostHeap = 16 << 20
)

// A chaos is clients at nodes of this process.
type chaos struct {
	*book
	w       *World
	seats   sync.Mutex // of who is where
	at      [clients]*cluster.Log
	crowds  []*Crowd
	stopped time.Duration // at most
	pause   time.Duration
}

// pauseOf is how long a client rests between two messages, at most: a short chaos runs beside much else.
func pauseOf(took time.Duration) time.Duration {
	if took < aLot {
		return 2 * time.Second
	}
	return 400 * time.Millisecond
}

// runChaos has 60 clients hop between nodes and publish under keys, while the engine's server is killed, stopped or fails over, and nodes end in order, and all
// are started again. In the end nothing that was acknowledged as durable is lost, no id has two contents, no key two ids, and all nodes have one
// history; what each node delivers ascends, or the room is cut; each knows who is on the others, and was told of each who joined and left once. A
// chaos that takes long also looks at what is left on the heap.
func runChaos(t *testing.T, s target, nodes int, took time.Duration, seed uint64) {
	t.Logf("seed %d", seed)
	before := heap()
	c := &chaos{book: newBook(t, s.keeps), w: NewWorld(t, s.Machine, nodes, 1_000_000), crowds: make([]*Crowd, nodes), stopped: time.Second, pause: pauseOf(took)}
	if took >= aLot {
		c.stopped = 7 * time.Second
	}
	for i, n := range c.w.nodes {
		c.begin(i, n)
		logtest.Eventually(t, n.name+" is ready", func() bool { return n.Log().Ready() == nil })
	}
	end := time.Now().Add(took)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() { c.publish(i, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	rnd := rand.New(rand.NewPCG(seed, 1000))
	for time.Now().Before(end) || !c.enough() {
		time.Sleep(time.Duration(200+rnd.IntN(800)) * time.Millisecond)
		c.goOn()
		c.fault(s, rnd)
	}
	c.over.Store(true)
	wg.Wait()
	c.compare(c.w)
	for i := range c.w.nodes {
		logtest.Eventually(t, fmt.Sprint("node ", i, " knows who is on the others"), func() bool { return c.crowds[i].are(c.elsewhere(i)) })
	}
	if took < aLot {
		return
	}
	for _, n := range c.w.nodes {
		n.Stop(t)
		n.deliver, n.cut = nil, nil
	}
	c.book, c.w, c.crowds, c.at = nil, nil, nil, [clients]*cluster.Log{}
	if after := heap(); after > before+mostHeap {
		t.Errorf("the heap has %d bytes, and had %d", after, before)
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// begin has a node follow that was opened, with nobody on it.
func (c *chaos) begin(i int, n *Node) {
	r := &reader{book: c.book, node: n.name, last: map[string]codec.ID{}}
	n.deliver, n.cut = r.deliver, r.cut
	c.crowds[i] = NewCrowd(c.t)
	n.Log().Deliver(n.deliver, n.cut)
	n.Log().Meet(c.crowds[i])
}

func (c *chaos) fault(s target, rnd *rand.Rand) {
	i := rnd.IntN(len(c.w.nodes))
	rest := time.Duration(rnd.Int64N(int64(c.stopped)))
	switch n := c.w.nodes[i]; rnd.IntN(5) {
	case 0:
		s.Kill(c.t)
		time.Sleep(rest / 2)
		s.Start(c.t)
	case 1, 2:
		n.Stop(c.t)
		time.Sleep(rest / 2)
		n.open(c.t)
		c.begin(i, n)
	case 3:
		s.Signal(c.t, syscall.SIGSTOP)
		time.Sleep(rest)
		s.Signal(c.t, syscall.SIGCONT)
	case 4:
		if s.promote != nil {
			s.promote(c.t)
		}
	}
}

// publish says one thing after the other, each until it is acknowledged, on whichever node.
func (c *chaos) publish(client int, rnd *rand.Rand) {
	name := fmt.Sprint("client", client)
	for i := 0; !c.over.Load(); i++ {
		room, content := roomOf(rnd.IntN(rooms)), fmt.Sprint(name, ".", i)
		for giveUp := time.Now().Add(2 * patience); time.Now().Before(giveUp); time.Sleep(retry) {
			l := c.w.nodes[rnd.IntN(len(c.w.nodes))].Log()
			if l == nil {
				continue
			}
			c.hop(client, l)
			told := make(chan codec.Receipt, 1)
			m := codec.Message{Username: name, Content: content, Time: 1}
			if err := l.Append(room, m, content, codec.Done{Tell: func(r codec.Receipt) { told <- r }}); err != nil {
				c.fail(1)
				continue
			}
			if r := <-told; r.Err == nil && r.Durable {
				c.acked(room, content, r.ID)
				break
			}
			c.fail(1)
		}
		time.Sleep(time.Duration(rnd.Int64N(int64(c.pause))))
	}
}

// hop has a client leave where it is, and join elsewhere.
func (c *chaos) hop(client int, to *cluster.Log) {
	c.seats.Lock()
	defer c.seats.Unlock()
	if c.at[client] == to {
		return
	}
	e := codec.Event{Username: fmt.Sprint("client", client), Time: time.Now().UnixMilli()}
	if was := c.at[client]; was != nil {
		left := e
		left.Type = codec.TypeLeft
		was.Announced(roomOf(client), &left)
	}
	e.Type = codec.TypeJoined
	to.Announced(roomOf(client), &e)
	c.at[client] = to
}

// elsewhere is who is on other nodes than this one. Who was on one that ended is nowhere.
func (c *chaos) elsewhere(node int) map[string]int {
	c.seats.Lock()
	defer c.seats.Unlock()
	who := map[string]int{}
	for client, l := range c.at {
		for i, n := range c.w.nodes {
			if i != node && l != nil && n.Log() == l {
				who[fmt.Sprint(roomOf(client), " client", client)]++
			}
		}
	}
	return who
}
