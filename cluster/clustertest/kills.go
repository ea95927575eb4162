package clustertest

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"edgechat/codec"
)

// killing is nodes that are processes.
type killing struct {
	*book
	s       target
	list    []*process
	killed  int
	stopped time.Duration // at most
}

// runKills has nodes that are processes, each of which has 20 clients that publish under keys. Nodes are killed and stopped, and so is the engine's server, or all are
// killed at once, and packets between them are lost. What a killed node's clients had under way the next one's say again. In the end it looks for the same as runChaos,
// but for who is there, what is cut, and memory. within runs what starts processes.
//
// A short run of it finds some faults and not others: a node that tells of a message as durable which its file has not is found in some 20 seconds.
func runKills(t *testing.T, s target, within func(func()), nodes int, took time.Duration, seed uint64) {
	t.Logf("seed %d", seed)
	k := &killing{book: newBook(t, s.keeps), s: s, stopped: time.Second}
	if took >= aLot {
		k.stopped = 7 * time.Second
	}
	dir := t.TempDir()
	t.Cleanup(func() {
		for _, p := range k.list {
			p.kill()
		}
	})
	for i := range nodes {
		name := fmt.Sprint("node", i)
		p := &process{book: k.book, name: name, path: filepath.Join(dir, name+".db"), at: s.address(i), pause: pauseOf(took), within: within}
		k.list = append(k.list, p)
		p.start()
	}
	rnd := rand.New(rand.NewPCG(seed, 1000))
	for end := time.Now().Add(took); time.Now().Before(end) || !k.enough() || k.killed < nodes; {
		time.Sleep(time.Duration(200+rnd.IntN(800)) * time.Millisecond)
		k.goOn()
		k.fault(rnd)
	}
	var paths []string
	for _, p := range k.list {
		p.kill()
		paths = append(paths, p.path)
	}
	t.Logf("%d nodes were killed", k.killed+nodes)
	w := newWorld(t, s, 1_000_000, "node", paths)
	for _, n := range w.nodes {
		r := &reader{book: k.book, node: n.name, last: map[string]codec.ID{}}
		n.deliver, n.cut = r.deliver, r.cut
		n.begin(t)
	}
	k.compare(w)
}

func (k *killing) fault(rnd *rand.Rand) {
	i := rnd.IntN(len(k.list))
	p := k.list[i]
	rest := time.Duration(rnd.Int64N(int64(k.stopped)))
	switch rnd.IntN(9) {
	case 0:
		k.s.Kill(k.t)
		time.Sleep(rest / 2)
		k.s.Start(k.t)
	case 1, 2: // all at once: what is left is what they have on disk
		for _, p := range k.list {
			_ = p.cmd.Process.Kill()
		}
		k.s.Kill(k.t)
		for _, p := range k.list {
			p.kill()
			k.killed++
		}
		k.s.Start(k.t)
		for _, p := range k.list {
			p.start()
		}
	case 3:
		_ = p.cmd.Process.Signal(syscall.SIGSTOP)
		time.Sleep(rest)
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
	case 4:
		k.s.Signal(k.t, syscall.SIGSTOP)
		time.Sleep(rest)
		k.s.Signal(k.t, syscall.SIGCONT)
	case 5:
		if k.s.drop != nil {
			end := k.s.drop(i)
			time.Sleep(rest)
			end()
		}
	default:
		p.kill()
		k.killed++
		time.Sleep(rest / 2)
		p.start()
	}
}
