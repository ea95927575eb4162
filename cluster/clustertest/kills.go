package clustertest

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/cluster"
	"edgechat/codec"
	"edgechat/store"
)

const childEnv = "EDGECHAT_CLUSTER_CHILD"

// Begin is what TestMain of a package of an engine begins with. If Kills runs the test binary it is a node until it is killed; open opens
// the engine at an address.
func Begin(open func(address string) (cluster.Engine, error)) {
	if args := strings.Split(os.Getenv(childEnv), "\n"); len(args) == 3 {
		fmt.Fprintln(os.Stderr, child(args[0], args[1], args[2], open))
		os.Exit(1)
	}
	// More at a time than there are processors: much of what they do is wait for servers that start and nodes that agree.
	if err := flag.Set("test.parallel", "6"); err != nil { // what is said on the command line goes before
		panic(err)
	}
}

// child says what it was given ("g room id content"), what it is about to say ("t room content"), and what was acknowledged as durable
// ("a room id content"). It begins with what it is told on its input, up to an empty line, and ends with its input.
func child(name, path, address string, open func(address string) (cluster.Engine, error)) error {
	e, err := open(address)
	if err != nil {
		return err
	}
	f, err := store.OpenFollower(store.Config{Path: path, History: 1_000_000, AckDelay: time.Nanosecond})
	if err != nil {
		return err
	}
	l, err := cluster.Open(cluster.Config{Store: f, Engine: e, Node: name, Patience: 3 * time.Second, ClaimTime: 300 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	tell := func(line ...string) {
		mu.Lock()
		defer mu.Unlock()
		// One write for a line, so that a kill leaves none behind that is wrong.
		_, _ = io.WriteString(os.Stdout, strings.Join(line, " ")+"\n") // with nobody who reads, this process ends by that
	}
	l.Deliver(func(room string, m *codec.Message) { tell("g", room, m.ID.String(), m.Content) }, func(string, codec.ID) {})

	in := bufio.NewScanner(os.Stdin)
	var again []string
	for in.Scan() && in.Text() != "" {
		again = append(again, in.Text())
	}
	for i := range 2 {
		go func() { // ends with the process
			for k := 0; ; k++ {
				room, content := fmt.Sprint("room", rand.IntN(3)), fmt.Sprintf("%d.%d.%d", os.Getpid(), i, k)
				if i == 0 && k < len(again) {
					room, content, _ = strings.Cut(again[k], " ")
				} else {
					tell("t", room, content)
				}
				tell("a", room, say(l, room, content).String(), content)
			}
		}()
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return fmt.Errorf("who began it is gone: %w", err)
}

// say says a thing, under itself as key, until it is acknowledged.
func say(l *cluster.Log, room, content string) codec.ID {
	for ; ; time.Sleep(5 * time.Millisecond) {
		told := make(chan codec.Receipt, 1)
		m := codec.Message{Username: "ann", Content: content, Time: 1}
		if err := l.Append(room, m, content, codec.Done{Tell: func(r codec.Receipt) { told <- r }}); err != nil {
			continue
		}
		if r := <-told; r.Err == nil && r.Durable {
			return r.ID
		}
	}
}

// A process is a node that is killed.
type process struct {
	c     *chaos
	name  string
	path  string
	cmd   *exec.Cmd
	in    io.Closer
	ended chan struct{}
}

func (p *process) start(address string) {
	t := p.c.t
	t.Helper()
	p.cmd = exec.Command(os.Args[0], "-test.run=^$")
	p.cmd.Env = append(os.Environ(), childEnv+"="+p.name+"\n"+p.path+"\n"+address)
	p.cmd.Stderr = t.Output()
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.in, p.ended = in, make(chan struct{})
	for _, line := range p.c.takeOpen() {
		if _, err := io.WriteString(in, line+"\n"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := io.WriteString(in, "\n"); err != nil {
		t.Fatal(err)
	}
	tried := map[string]bool{}
	go func() { // ends with the process
		defer close(p.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			p.c.heard(lines.Text(), tried)
		}
		p.c.left(tried)
	}()
}

// kill kills it, and waits until all that it said is known.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
	_ = p.cmd.Wait() // it was killed
	_ = p.in.Close()
	p.cmd = nil
}

// heard notes what a process said.
func (c *chaos) heard(line string, tried map[string]bool) {
	f := strings.Fields(line)
	if len(f) == 3 && f[0] == "t" {
		tried[f[1]+" "+f[2]] = true
		return
	}
	if len(f) != 4 {
		c.t.Errorf("a node said %q", line)
		return
	}
	id, err := codec.ParseID(f[2])
	if err != nil {
		c.t.Errorf("a node said %q: %v", line, err)
		return
	}
	switch m := (codec.Message{ID: id, Content: f[3]}); f[0] {
	case "g":
		c.deliver(f[1], &m)
	case "a":
		delete(tried, f[1]+" "+f[3])
		c.acked(f[1], f[3], id)
	}
}

// left notes what a process was about to say when it was killed: the next says it again.
func (c *chaos) left(tried map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for line := range tried {
		c.open = append(c.open, line)
	}
	c.lost += len(tried)
}

func (c *chaos) takeOpen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.open
	c.open = nil
	return list
}

// Kills has nodes that are processes, each of which publishes under keys, and kills them, and now and then the engine's server at an address, or all at once. In the end it looks for the same as Chaos.
func Kills(t *testing.T, s Server, address string, nodes int, keeps bool, took time.Duration, seed uint64) {
	t.Logf("seed %d", seed)
	c := &chaos{t: t, keeps: keeps, ids: map[string]string{}, keys: map[string]codec.ID{}}
	var list []*process
	dir := t.TempDir()
	t.Cleanup(func() {
		for _, p := range list {
			p.kill()
		}
	})
	for i := range nodes {
		p := &process{c: c, name: fmt.Sprint("node", i), path: filepath.Join(dir, fmt.Sprint("node", i, ".db"))}
		list = append(list, p)
		p.start(address)
	}
	rnd := rand.New(rand.NewPCG(seed, 1000))
	killed := 0
	for end := time.Now().Add(took); time.Now().Before(end) || !c.enough(); {
		time.Sleep(time.Duration(200+rnd.IntN(800)) * time.Millisecond)
		was := c.acknowledged()
		eventually(t, "something is acknowledged between two faults", func() bool { return c.acknowledged() > was })
		switch rnd.IntN(6) {
		case 0:
			s.Kill(t)
			time.Sleep(time.Duration(rnd.IntN(500)) * time.Millisecond)
			s.Start(t)
			continue
		case 1: // all at once: what is left is what they have on disk
			for _, p := range list {
				_ = p.cmd.Process.Kill()
			}
			s.Kill(t)
			for _, p := range list {
				p.kill()
				killed++
			}
			s.Start(t)
			for _, p := range list {
				p.start(address)
			}
			continue
		}
		p := list[rnd.IntN(len(list))]
		p.kill()
		killed++
		time.Sleep(time.Duration(rnd.IntN(500)) * time.Millisecond)
		p.start(address)
	}
	var paths []string
	for _, p := range list {
		p.kill()
		paths = append(paths, p.path)
	}
	t.Logf("%d nodes were killed", killed+len(list))
	c.w = newWorld(t, s, 1_000_000, "node", paths)
	for _, n := range c.w.nodes {
		n.deliver, n.cut = c.deliver, func(string, codec.ID) {}
		n.begin(t)
	}
	eventually(t, "all nodes have all, and owe nothing", c.agreed)
	c.compare()
}
