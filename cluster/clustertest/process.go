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
	"strings"
	"sync"
	"time"

	"edgechat/cluster"
	"edgechat/codec"
	"edgechat/store"
)

const childEnv = "EDGECHAT_CLUSTER_CHILD"

// Begin is what TestMain of a package of an engine begins with. If runKills runs the test binary it is a node until it is killed; open opens
// the engine at an address.
func Begin(open func(address string) (cluster.Engine, error)) {
	if args := strings.Split(os.Getenv(childEnv), "\n"); len(args) == 4 {
		fmt.Fprintln(os.Stderr, child(args[0], args[1], args[2], args[3], open))
		os.Exit(1)
	}
	// More at a time than there are processors: much of what they do is wait for servers that start and nodes that agree.
	if err := flag.Set("test.parallel", "6"); err != nil { // what is said on the command line goes before
		panic(err)
	}
}

// child says what it was given ("g room id content"), what it is about to say ("t room content"), and what was acknowledged as durable
// ("a room id content"). It begins with what it is told on its input, up to an empty line, and ends with its input.
func child(name, path, address, rest string, open func(address string) (cluster.Engine, error)) error {
	pause, err := time.ParseDuration(rest)
	if err != nil {
		return err
	}
	e, err := open(address)
	if err != nil {
		return err
	}
	f, err := store.OpenFollower(store.Config{Path: path, History: 1_000_000, AckDelay: time.Nanosecond})
	if err != nil {
		return err
	}
	l, err := cluster.Open(cluster.Config{Store: f, Engine: e, Node: name, Patience: nodePatience, ClaimTime: 300 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))})
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
	for i := range clients / 3 {
		go func() { // ends with the process
			for k := 0; ; k++ {
				room, content := roomOf(rand.IntN(rooms)), fmt.Sprintf("%d.%d.%d", os.Getpid(), i, k)
				if mine := k*(clients/3) + i; mine < len(again) {
					room, content, _ = strings.Cut(again[mine], " ")
				} else {
					tell("t", room, content)
				}
				tell("a", room, say(l, room, content).String(), content)
				time.Sleep(time.Duration(rand.Int64N(int64(pause))))
			}
		}()
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return fmt.Errorf("who began it is gone: %w", err)
}

// say says a thing, under itself as key, until it is acknowledged.
func say(l *cluster.Log, room, content string) codec.ID {
	for ; ; time.Sleep(retry) {
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
	book   *book
	name   string
	path   string
	at     string // address of the engine
	pause  time.Duration
	within func(func()) // runs what starts it
	cmd    *exec.Cmd
	in     io.Closer
	ended  chan struct{}
}

func (p *process) start() {
	t := p.book.t
	t.Helper()
	p.cmd = exec.Command(os.Args[0], "-test.run=^$")
	p.cmd.Env = append(os.Environ(), childEnv+"="+p.name+"\n"+p.path+"\n"+p.at+"\n"+p.pause.String())
	p.cmd.Stderr = t.Output()
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.within(func() { err = p.cmd.Start() })
	if err != nil {
		t.Fatal(err)
	}
	p.in, p.ended = in, make(chan struct{})
	for _, line := range p.book.takeOpen() {
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
			p.book.heard(lines.Text(), tried)
		}
		p.book.left(tried)
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
func (b *book) heard(line string, tried map[string]bool) {
	f := strings.Fields(line)
	if len(f) == 3 && f[0] == "t" {
		tried[f[1]+" "+f[2]] = true
		return
	}
	if len(f) != 4 {
		b.t.Errorf("a node said %q", line)
		return
	}
	id, err := codec.ParseID(f[2])
	if err != nil {
		b.t.Errorf("a node said %q: %v", line, err)
		return
	}
	switch f[0] {
	case "g":
		b.delivered(f[1], id, f[3])
	case "a":
		delete(tried, f[1]+" "+f[3])
		b.acked(f[1], f[3], id)
	}
}

// left notes what a process was about to say when it was killed: the next says it again.
func (b *book) left(tried map[string]bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range tried {
		b.open = append(b.open, line)
	}
	b.failed += len(tried)
}

func (b *book) takeOpen() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.open
	b.open = nil
	return list
}
