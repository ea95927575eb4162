package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"edgechat/internal/edgetest"
	"edgechat/internal/faultydisk"
)

var kills = flag.Int("kills", 8, "how often TestKill kills a server: half of them on a fast disk, a quarter on a late one, a quarter where messages are displaced")

// The promise, on the whole program: the server is killed (SIGKILL) at random
// moments while 20 clients publish under keys. Every acked message is there afterwards under
// the same id, or as many as a room keeps came after it; no id stands for two messages, no message is there twice though
// everything that was not acked is sent again, and who comes back with a cursor
// sees each message that was kept once and in order, or is told that some are missing. make kill does 200 rounds.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, c := range []struct {
		name   string
		rounds int
		test   *killTest
	}{
		{"a fast disk", *kills / 2, &killTest{history: 100_000, window: 6, burst: 1, longest: 600 * time.Millisecond}},
		{"a late disk", *kills / 4, &killTest{history: 100_000, window: 6, burst: 1, longest: 3 * time.Second,
			flush: faultydisk.Fault{Delay: 200 * time.Millisecond, Upto: 600 * time.Millisecond}}},
		// Messages leave the buffer before they are written.
		{"displaced messages", *kills / 4, &killTest{history: 20, window: 100, burst: 40, longest: 2500 * time.Millisecond, padding: 3990, displaces: true,
			flush: faultydisk.Fault{Delay: 300 * time.Millisecond}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			k := c.test
			k.t, k.addr, k.ledger = t, edgetest.FreeAddr(t), newLedger(t, k.history)
			if k.flush == (faultydisk.Fault{}) {
				k.data = t.TempDir()
			} else {
				card := faultydisk.New(t, 256<<20)
				card.Set(faultydisk.Flush, k.flush)
				k.data = filepath.Join(card.Dir, "data")
			}
			k.run(max(2, c.rounds))
		})
	}
}

// killTest is the server, and what all clients know together.
type killTest struct {
	t          *testing.T
	addr, data string
	ledger     *ledger
	cmd        *exec.Cmd
	stderr     bytes.Buffer

	history   int              // messages that a room keeps
	window    int              // messages that a publisher has under way
	burst     int              // messages that it makes at once
	padding   int              // bytes added to each message
	displaces bool             // messages leave the buffer
	longest   time.Duration    // that a server lives
	flush     faultydisk.Fault // what a flush of the card takes

	gate sync.RWMutex // held by who publishes; taken while the server is held against the ledger

	mu      sync.Mutex
	returns int // reconnects with a cursor
}

func (k *killTest) run(rounds int) {
	t := k.t
	const clients, rooms = 20, 4
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	var all []*publisher
	for i := range clients {
		p := &publisher{k: k, name: fmt.Sprintf("c%d", i), room: fmt.Sprintf("room%d", i%rooms), acked: map[string]string{}, had: map[string]bool{}}
		all = append(all, p)
		wg.Go(func() { p.run(ctx) }) // until cancel
	}
	defer wg.Wait()
	defer cancel()

	for i := range rounds {
		if i%2 == 1 { // the others are killed in the middle of their start, too
			k.check(fmt.Sprintf("after %d kills", i))
		} else {
			k.start()
		}
		time.Sleep(20*time.Millisecond + rand.N(k.longest))
		k.kill()
		if t.Failed() {
			t.Logf("log of the last server:\n%s", &k.stderr)
			return
		}
	}
	k.check(fmt.Sprintf("after %d kills", rounds))
	for _, p := range all {
		p.mu.Lock()
		p.quiet = true
		p.mu.Unlock()
	}
	lost := 0
	for _, p := range all {
		k.wait(p.name+" to get all acks", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.pending) == 0 })
	}
	k.ledger.check(k.addr, "in the end")
	for _, p := range all {
		truth := k.ledger.kept(k.addr, p.room)
		if len(truth) == 0 {
			t.Fatalf("%s is empty: nothing was tested", p.room)
		}
		last := truth[len(truth)-1].ID
		k.wait(p.name+" to see the newest message", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.cursor == last })
		lost += p.check(truth)
	}
	given, acked := k.ledger.count()
	if acked == 0 || rounds > 5 && k.recoveries() == 0 {
		t.Fatal("no acks or no reconnects: nothing was tested")
	}
	t.Logf("%d kills: %d messages given, %d acked, %d reconnects, %d sights of messages that are gone", rounds, given, acked, k.recoveries(), lost)
	k.stop()
}

// check starts a server and holds it against the ledger before anybody publishes more.
func (k *killTest) check(when string) {
	k.t.Helper()
	k.gate.Lock()
	defer k.gate.Unlock()
	k.start()
	k.wait("the server to listen", func() bool {
		resp, err := http.Get("http://" + k.addr + "/healthz")
		if err == nil {
			resp.Body.Close()
		}
		return err == nil
	})
	k.ledger.check(k.addr, when)
}

func (k *killTest) start() {
	k.t.Helper()
	k.ledger.started()
	k.stderr.Reset()
	k.cmd = exec.Command("edgechat", "serve", "--listen", k.addr, "--data", k.data,
		"--history", strconv.Itoa(k.history), "--history-bytes", "256MiB", "--replay-limit", "10000")
	k.cmd.Env = append(os.Environ(), edgetest.NoLimits()...)
	k.cmd.Stderr = &k.stderr
	if err := k.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	cmd := k.cmd
	k.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
}

func (k *killTest) kill() {
	k.t.Helper()
	if err := k.cmd.Process.Kill(); err != nil {
		k.t.Fatal(err)
	}
	// An end before the kill would be a crash.
	if err := k.cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		k.t.Fatalf("the server ended by itself: %v\n%s", err, k.stderr.String())
	}
}

// stop ends the server as a person would; it must have no complaint.
func (k *killTest) stop() {
	k.t.Helper()
	if err := k.cmd.Process.Signal(os.Interrupt); err != nil {
		k.t.Fatal(err)
	}
	if err := k.cmd.Wait(); err != nil {
		k.t.Fatalf("orderly stop: %v\n%s", err, k.stderr.String())
	}
}

func (k *killTest) recoveries() int { k.mu.Lock(); defer k.mu.Unlock(); return k.returns }

func (k *killTest) wait(what string, done func() bool) {
	k.t.Helper()
	for end := time.Now().Add(3 * time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) || k.t.Failed() {
			k.kill() // ends the writes to stderr
			k.t.Fatalf("waited for %s\n%s", what, k.stderr.String())
		}
	}
}
